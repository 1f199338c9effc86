"""The rules: their order, whatever else is true, and that a decision is the same with and without its shortcuts."""

from functools import cache
from itertools import combinations
from random import Random
from typing import Any

import pytest

from bench.policy.random_facts import random_facts
from interlude.contacts.budget import BudgetState
from interlude.contacts.campaign import Campaign
from interlude.contacts.experiment import Assignment
from interlude.features.codec import HotFeatures, ProfileFlag
from interlude.features.state import Level
from interlude.v1 import decision_pb2 as pb
from services.decision.policy import CERTAIN, RULES, SHOWN, Facts, Reason, Rung, decide
from services.decision.policy import deciding as deciding_module

_NOW_MS = 1_700_000_000_000
_MINUTE_MS = 60_000
_ALL_FLAGS = ProfileFlag.KNOWN | ProfileFlag.ACTIVE | ProfileFlag.CONSENT_PLAYER_OFFERS
_LISTENER = HotFeatures(
    level=Level.FREE,
    flags=_ALL_FLAGS,
    newest_listen_ms=_NOW_MS - 3 * _MINUTE_MS,
    vector=bytes(24),
    session_began_ms=_NOW_MS - 5 * _MINUTE_MS,
    session_tracks=3,
    streak_track_id=7,
    listening_hour_began_ms=_NOW_MS - 30 * _MINUTE_MS,
    last_dismiss_ms=_NOW_MS - 60 * _MINUTE_MS,
)
_CONTACT_MS = _NOW_MS - 10 * _MINUTE_MS

# What makes each rule match, one at a time, in the order in which the rules are applied.
_OBJECTIONS: dict[str, tuple[Reason, dict[str, Any]]] = {
    "off": (Reason.SWITCHED_OFF, {"campaign": {"enabled": False}}),
    "unread": (Reason.UNAVAILABLE, {"rung": Rung.NO_FEATURES}),
    "unknown": (Reason.UNKNOWN_CUSTOMER, {"without": ProfileFlag.KNOWN}),
    "inactive": (Reason.INACTIVE, {"without": ProfileFlag.ACTIVE}),
    "gold": (Reason.LEVEL, {"level": Level.GOLD}),
    "no consent": (Reason.NO_CONSENT, {"without": ProfileFlag.CONSENT_PLAYER_OFFERS}),
    "dismissed": (Reason.COOL_DOWN, {"campaign": {"cool_down_after_dismiss_hours": 2}}),
    "capped": (Reason.FREQUENCY_CAP, {"campaign": {"contacts_per_day": 1}}),
    "too soon": (Reason.MINIMUM_GAP, {"campaign": {"minimum_gap_minutes": 20}}),
    "hour of listening": (Reason.LISTENING_HOUR, {"campaign": {"contacts_per_listening_hour": 1}}),
    "first tracks": (Reason.FIRST_TRACKS, {"campaign": {"first_tracks_without_offer": 4}}),
    "streak": (Reason.IN_STREAK, {"campaign": {"spare_streaks": True}}),
    "ended": (Reason.CAMPAIGN_ENDED, {"campaign": {"ends_at": "2023-11-14T00:00:00Z"}}),
    "spent": (Reason.BUDGET_SPENT, {"budget": BudgetState.SPENT}),
    "paced": (Reason.PACED, {"budget": BudgetState.PACED}),
    "no score": (Reason.UNAVAILABLE, {"score": None}),
    "low score": (Reason.LOW_SCORE, {"score": 0.1}),
    "held out": (Reason.HOLDOUT, {"assignment": Assignment(holdout=True)}),
}


@cache
def _campaign(changed: tuple[tuple[str, Any], ...]) -> Campaign:
    fields: dict[str, Any] = {"campaign_id": "c", "minimum_gap_minutes": 0, **dict(changed)}
    return Campaign(**fields)


def _facts(*objections: str) -> Facts:
    """Facts against which exactly these objections speak; of two that cannot both be, the first."""
    campaign: dict[str, Any] = {}
    fields: dict[str, Any] = {"score": 0.9}
    listener = _LISTENER
    for name in reversed(objections):
        changes = dict(_OBJECTIONS[name][1])
        listener = listener._replace(
            flags=listener.flags & ~changes.pop("without", 0), level=changes.pop("level", listener.level)
        )
        campaign |= changes.pop("campaign", {})
        fields |= changes
    return Facts(
        _campaign(tuple(campaign.items())),
        _NOW_MS,
        listener=listener,
        contact_times=(_CONTACT_MS,),
        model_threshold=0.5,
        **fields,
    )


def test_the_objections_of_this_test_are_the_rules_in_their_order() -> None:
    assert [reason for reason, _ in _OBJECTIONS.values()] == [rule.reason for rule in RULES]


def test_nothing_against_it_means_show() -> None:
    assert decide(_facts()) == (Reason.SHOW, CERTAIN)


@pytest.mark.parametrize("count", range(1, len(_OBJECTIONS) + 1))
def test_of_every_combination_of_objections_the_first_rule_decides(count: int) -> None:
    for objections in combinations(_OBJECTIONS, count):
        assert decide(_facts(*objections)).reason is _OBJECTIONS[objections[0]][0], objections


@pytest.mark.parametrize("objection", _OBJECTIONS)
def test_a_single_objection_matches_its_own_rule_and_no_other(objection: str) -> None:
    matched = [rule.reason for rule in RULES if rule.matches(_facts(objection))]
    assert matched == [_OBJECTIONS[objection][0]]


@pytest.mark.parametrize("objection", ["inactive", "gold", "no consent"])
def test_what_is_not_known_of_a_customer_decided_by_the_prior_is_no_objection(objection: str) -> None:
    campaign = _campaign((("cold_start", "prior"),))
    assert decide(_facts("unknown", objection)._replace(campaign=campaign)).reason is Reason.SHOW


@pytest.mark.parametrize("rung", Rung)
def test_only_what_was_not_read_is_unavailable_by_its_rung(rung: Rung) -> None:
    expected = Reason.UNAVAILABLE if rung in {Rung.NO_FEATURES, Rung.NO_TIME} else Reason.SHOW
    assert decide(_facts()._replace(rung=rung)).reason is expected


def test_a_score_that_is_not_a_number_shows_nothing() -> None:
    assert decide(_facts()._replace(score=float("nan"))).reason is Reason.LOW_SCORE


def test_a_decision_is_the_first_match_of_all_rules_whatever_its_shortcuts() -> None:
    """20,000 random cases: no rule is wrongly left out for a campaign, and each quick rule says what its definition says."""
    source = Random(5)
    for _ in range(20_000):
        facts = random_facts(source)
        against = [rule for rule in RULES if rule.matches(facts)]
        reason = decide(facts).reason
        assert reason is against[0].reason if against else reason in SHOWN
        for rule in RULES:
            quick = rule.quick(facts.campaign) if rule.quick and rule.concerns(facts.campaign) else None
            assert quick is None or quick(facts) == rule.matches(facts), (rule.reason, facts)


def test_what_is_kept_of_campaigns_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deciding_module, "_COURSES_KEPT", 3)
    monkeypatch.setattr(deciding_module, "_COURSES", {})
    campaigns = [Campaign(campaign_id="c", enabled=place % 2 == 0) for place in range(8)]
    facts = _facts()
    for campaign in campaigns[:3]:
        decide(facts._replace(campaign=campaign))
    assert len(deciding_module._COURSES) == 3
    for campaign in campaigns * 2:
        expected = Reason.SHOW if campaign.enabled else Reason.SWITCHED_OFF
        assert decide(facts._replace(campaign=campaign, contact_times=())).reason is expected
        assert 1 <= len(deciding_module._COURSES) <= 3
        assert deciding_module._COURSES[id(campaign)].campaign is campaign


@pytest.mark.parametrize("reason", Reason)
def test_reasons_are_numbered_as_on_the_wire(reason: Reason) -> None:
    assert pb.Reason.Name(reason) == f"REASON_{reason.name}"
    assert len(Reason) == len(pb.Reason.values()) - 1


@pytest.mark.parametrize("rung", Rung)
def test_rungs_are_numbered_as_on_the_wire(rung: Rung) -> None:
    assert pb.Rung.Name(rung) == f"RUNG_{rung.name}"
    assert len(Rung) == len(pb.Rung.values()) - 1
