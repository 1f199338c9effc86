"""The nearest yes: whatever it names turns the answer, and nothing of it may be left out."""

from random import Random

import pytest

from bench.policy.random_facts import random_facts
from interlude.contacts.campaign import Campaign
from interlude.features.codec import HotFeatures
from services.decision.policy import RULES, SHOWN, Facts, Reason, Rung, apply, decide, nearest_yes
from services.decision.policy import nearest as nearest_module

_NOW_MS = 1_700_000_000_000
_LISTENER = HotFeatures(1, 11, _NOW_MS - 60_000, bytes(24), _NOW_MS - 60_000, 1)


def test_what_is_named_turns_the_answer_and_nothing_of_it_may_be_left_out() -> None:
    """5,000 random cases (`make bench-policy` has 100,000). Nothing is named only where nothing was read of the customer."""
    source = Random(7)
    for _ in range(5_000):
        facts = random_facts(source)
        named = nearest_yes(facts)
        if decide(facts).reason in SHOWN or facts.rung in {Rung.NO_FEATURES, Rung.NO_TIME}:
            assert named == ()
            continue
        assert decide(apply(named, facts)).reason in SHOWN, (facts, named)
        for place in range(len(named)):
            less = named[:place] + named[place + 1 :]
            assert decide(apply(less, facts)).reason not in SHOWN, (facts, named, less)


def test_each_way_of_a_rule_makes_it_not_match_by_itself() -> None:
    source = Random(11)
    for _ in range(3_000):
        facts = random_facts(source)
        for rule in RULES:
            for way in rule.ways(facts) if rule.matches(facts) else ():
                assert way, rule.reason
                assert not rule.matches(apply(way, facts)), (rule.reason, way, facts)


def test_it_is_always_the_same_however_often_asked() -> None:
    facts = [random_facts(Random(place)) for place in range(200)]
    assert [nearest_yes(each) for each in facts] == [nearest_yes(each) for each in facts]


@pytest.mark.parametrize(
    ("campaign", "contacts_ms", "expected"),
    [
        # One wait for both, not a wait and a change of the campaign.
        (
            {"contacts_per_hour": 1, "contacts_per_day": 2, "minimum_gap_minutes": 20},
            (600_000, 7_200_000),
            [("now_ms", _NOW_MS + 79_200_000)],
        ),
        # Waiting outlasts the campaign: one change instead of two.
        (
            {"ends_at": "2023-11-14T22:14:00Z", "minimum_gap_minutes": 20},
            (600_000,),
            [("campaign.minimum_gap_minutes", 10)],
        ),
        # Waiting ends the session, and its first tracks come again.
        (
            {"contacts_per_session": 1, "first_tracks_without_offer": 1, "minimum_gap_minutes": 0},
            (30_000,),
            [("campaign.contacts_per_session", 2)],
        ),
        # What comes by itself before what the operator changes, the tracks of two rules in one.
        (
            {"minimum_gap_tracks": 3, "first_tracks_without_offer": 5, "minimum_gap_minutes": 0},
            (30_000,),
            [("tracks", 4)],
        ),
        # A campaign that has ended needs another end, however long ago that was.
        ({"ends_at": "2023-11-01T00:00:00Z"}, (), [("campaign.ends_at", "2023-11-14T22:13:21Z")]),
    ],
)
def test_the_smallest_and_nearest_set_is_named(
    campaign: dict[str, int | str], contacts_ms: tuple[int, ...], expected: list[tuple[str, int | str]]
) -> None:
    facts = Facts(
        Campaign.model_validate({"campaign_id": "c", **campaign}),
        _NOW_MS,
        listener=_LISTENER,
        contact_times=tuple(_NOW_MS - ago_ms for ago_ms in contacts_ms),
        score=0.9,
        model_threshold=0.5,
    )
    assert [(change.field, change.value) for change in nearest_yes(facts)] == expected


def test_a_wait_is_said_from_now_whichever_way_it_was_found() -> None:
    campaign = Campaign.model_validate(
        {"campaign_id": "c", "starts_at": "2023-11-15T22:13:20Z", "minimum_gap_minutes": 20}
    )
    facts = Facts(campaign, _NOW_MS, listener=_LISTENER, contact_times=(_NOW_MS - 60_000,), score=0.9)
    (change,) = nearest_yes(facts)
    assert (change.field, change.value, change.text) == ("now_ms", _NOW_MS + 86_400_000, "wait 24 h 0 min")


def test_a_search_that_takes_too_long_names_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = Facts(Campaign(campaign_id="c", enabled=False), _NOW_MS, listener=_LISTENER, score=0.9)
    assert [change.field for change in nearest_yes(facts)] == ["campaign.enabled"]
    monkeypatch.setattr(nearest_module, "_LOOKED_AT", 1)
    assert nearest_yes(facts) == ()


@pytest.mark.parametrize("cap", ["contacts_per_hour", "contacts_per_listening_hour"])
def test_a_cap_is_not_raised_beyond_what_a_document_allows(cap: str) -> None:
    campaign = Campaign.model_validate({"campaign_id": "c", cap: 60, "contacts_per_day": 60, "minimum_gap_minutes": 0})
    facts = Facts(campaign, _NOW_MS, listener=_LISTENER, contact_times=(_NOW_MS - 1000,) * 60, score=0.9)
    full = next(rule for rule in RULES if rule.matches(facts))
    fields = [change.field for way in full.ways(facts) for change in way]
    assert fields == (["now_ms"] if full.reason is Reason.FREQUENCY_CAP else [])


def test_a_cap_of_zero_with_more_contacts_than_a_document_allows_has_no_way() -> None:
    campaign = Campaign(campaign_id="c", contacts_per_day=0, minimum_gap_minutes=0)
    facts = Facts(campaign, _NOW_MS, listener=_LISTENER, contact_times=(_NOW_MS - 1000,) * 60, score=0.9)
    assert decide(facts).reason is Reason.FREQUENCY_CAP
    assert nearest_yes(facts) == ()
