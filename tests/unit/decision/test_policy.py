"""The rules: their order, whatever else is true, and that Explain tells what Decide did."""

from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlude.contacts.campaign import Campaign
from interlude.contacts.caps import DAY_MS, Channel, Contact, cap_use
from interlude.features.codec import HotFeatures, ProfileFlag
from interlude.features.state import Level
from interlude.v1 import decision_pb2 as pb
from services.decision.engine import Answer, Question
from services.decision.policy import RULES, Facts, Reason, Rung, decide
from services.decision.responses import to_explanation

_NOW_MS = 1_700_000_000_000
_ALL_FLAGS = ProfileFlag.KNOWN | ProfileFlag.ACTIVE | ProfileFlag.CONSENT_PLAYER_OFFERS

# What makes each rule match, one at a time, in the order in which the rules are applied.
_OBJECTIONS: dict[str, tuple[Reason, dict[str, Any]]] = {
    "off": (Reason.SWITCHED_OFF, {"enabled": False}),
    "unread": (Reason.UNAVAILABLE, {"rung": Rung.NO_FEATURES}),
    "unknown": (Reason.UNKNOWN_CUSTOMER, {"without": ProfileFlag.KNOWN}),
    "inactive": (Reason.INACTIVE, {"without": ProfileFlag.ACTIVE}),
    "gold": (Reason.LEVEL, {"level": Level.GOLD}),
    "no consent": (Reason.NO_CONSENT, {"without": ProfileFlag.CONSENT_PLAYER_OFFERS}),
    "capped": (Reason.FREQUENCY_CAP, {"contacts_per_day": 1, "ages_ms": (DAY_MS - 1,)}),
    "too soon": (Reason.MINIMUM_GAP, {"ages_ms": (1,)}),
    "no score": (Reason.UNAVAILABLE, {"score": None}),
    "low score": (Reason.LOW_SCORE, {"score": 0.1}),
}


def _facts(*objections: str) -> Facts:
    """Facts against which exactly these objections speak; the score is either missing or low, missing when both are asked."""
    fields: dict[str, Any] = {
        "enabled": True,
        "contacts_per_day": 3,
        "rung": Rung.FULL,
        "level": Level.FREE,
        "score": 0.9,
    }
    flags, ages_ms = _ALL_FLAGS, (DAY_MS,)
    for name in reversed(objections):
        changes = dict(_OBJECTIONS[name][1])
        flags &= ~changes.pop("without", ProfileFlag(0))
        ages_ms += changes.pop("ages_ms", ())
        fields |= changes
    campaign = Campaign(campaign_id="c", enabled=fields["enabled"], contacts_per_day=fields["contacts_per_day"])
    contacts = [Contact(_NOW_MS - age_ms, 1, 1, Channel.SMS) for age_ms in ages_ms]
    listener = HotFeatures(fields["level"], flags, None, bytes(24))
    return Facts(campaign, fields["rung"], listener, cap_use(contacts, _NOW_MS), fields["score"], 0.5)


def test_the_objections_of_this_test_are_the_rules_in_their_order() -> None:
    assert [reason for reason, _ in _OBJECTIONS.values()] == [rule.reason for rule in RULES]


def test_nothing_against_it_means_show() -> None:
    assert decide(_facts()) is Reason.SHOW


@pytest.mark.parametrize("count", range(1, len(_OBJECTIONS) + 1))
def test_of_every_combination_of_objections_the_first_rule_decides(count: int) -> None:
    for objections in combinations(_OBJECTIONS, count):
        assert decide(_facts(*objections)) is _OBJECTIONS[objections[0]][0], objections


@pytest.mark.parametrize("objection", _OBJECTIONS)
def test_a_single_objection_matches_its_own_rule_and_no_other(objection: str) -> None:
    matched = [rule.reason for rule in RULES if rule.matches(_facts(objection))]
    assert matched == [_OBJECTIONS[objection][0]]


def test_a_score_that_is_not_a_number_shows_nothing() -> None:
    facts = Facts(Campaign(campaign_id="c"), listener=HotFeatures(1, _ALL_FLAGS, None, bytes(24)), score=float("nan"))
    assert decide(facts) is Reason.LOW_SCORE


_LISTENERS = st.none() | st.builds(
    HotFeatures,
    st.sampled_from(Level),
    st.integers(0, 15),
    st.none() | st.integers(0, 2**62),
    st.binary(min_size=24, max_size=24),
)
_CONTACTS = st.lists(
    st.builds(
        Contact,
        st.integers(_NOW_MS - 2 * DAY_MS, _NOW_MS + 1000),
        st.integers(0, 3),
        st.just(1),
        st.sampled_from(Channel),
    ),
    max_size=8,
)
_FACTS = st.builds(
    Facts,
    st.builds(
        Campaign,
        campaign_id=st.just("c"),
        enabled=st.booleans(),
        contacts_per_day=st.integers(0, 5),
        minimum_gap_minutes=st.integers(0, 10_080),
    ),
    st.sampled_from(Rung),
    _LISTENERS,
    _CONTACTS.map(lambda contacts: cap_use(contacts, _NOW_MS, request_hash=0)),
    st.none() | st.floats(0, 1, width=32),
    st.floats(0, 1),
)


@given(_FACTS)
def test_explain_tells_what_decide_answers(facts: Facts) -> None:
    answer = Answer(Question("", 1, facts.campaign), decide(facts), facts, "", _NOW_MS)
    explained = to_explanation(answer)
    against = [rule.reason for rule in explained.rules if rule.matched]
    assert explained.answer.reason == (against[0] if against else pb.REASON_SHOW)
    assert explained.answer.show == (not against)
    assert [rule.reason for rule in explained.rules] == [rule.reason.value for rule in RULES]


@given(_FACTS)
def test_explain_says_what_would_change_each_objection_and_only_those(facts: Facts) -> None:
    explained = to_explanation(Answer(Question("", 1, facts.campaign), decide(facts), facts, "", _NOW_MS))
    for rule in explained.rules:
        assert rule.detail
        assert bool(rule.to_change) == rule.matched


@given(_CONTACTS, st.integers(1, 5))
def test_a_cap_that_is_reached_has_room_again_when_explain_says(contacts: list[Contact], cap: int) -> None:
    campaign = Campaign(campaign_id="c", contacts_per_day=cap)
    use = cap_use(contacts, _NOW_MS)
    if use.contacts_last_day >= cap:
        wait_ms = use.leave_in_ms[use.contacts_last_day - cap]
        listener = HotFeatures(Level.FREE, _ALL_FLAGS, None, bytes(24))
        just_before, then = (
            decide(Facts(campaign, Rung.FULL, listener, cap_use(contacts, _NOW_MS + span), 1.0))
            for span in (wait_ms - 1, wait_ms)
        )
        assert just_before is Reason.FREQUENCY_CAP
        assert then is not Reason.FREQUENCY_CAP


@pytest.mark.parametrize("reason", Reason)
def test_reasons_are_numbered_as_on_the_wire(reason: Reason) -> None:
    assert pb.Reason.Name(reason) == f"REASON_{reason.name}"


@pytest.mark.parametrize("rung", Rung)
def test_rungs_are_numbered_as_on_the_wire(rung: Rung) -> None:
    assert pb.Rung.Name(rung) == f"RUNG_{rung.name}"
