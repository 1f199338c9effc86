"""Caps and gaps at their borders, with contacts and listens to the millisecond."""

import struct
from typing import Any

import pytest

from interlude.contacts.campaign import Campaign
from interlude.features.codec import HotFeatures
from interlude.features.schema import SESSION_PAUSE_MS
from services.decision.policy import RULES, Change, Facts, Reason, decide, nearest_yes

_NOW_MS = 1_700_000_000_000
_MINUTE, _HOUR, _DAY = 60_000, 3_600_000, 86_400_000
_LISTENER = HotFeatures(
    level=1,
    flags=11,
    newest_listen_ms=_NOW_MS - 2 * _MINUTE,
    vector=bytes(24),
    session_began_ms=_NOW_MS - 10 * _MINUTE,
    session_tracks=3,
    listening_hour_began_ms=_NOW_MS - 90 * _MINUTE,
    recent_listens=struct.pack("<3I", 0, 240, 480),
)
_NO_LIMITS = {"contacts_per_day": 60, "minimum_gap_minutes": 0}


def _facts(*ago_ms: int, listener: HotFeatures | None = _LISTENER, **campaign: Any) -> Facts:
    return Facts(
        Campaign.model_validate({"campaign_id": "c", "cold_start": "prior", **_NO_LIMITS, **campaign}),
        _NOW_MS,
        listener=listener,
        contact_times=tuple(_NOW_MS - each for each in ago_ms),
        score=0.9,
        model_threshold=0.5,
    )


@pytest.mark.parametrize(
    ("campaign", "border_ms", "reason"),
    [
        ({"contacts_per_hour": 2}, _HOUR, Reason.FREQUENCY_CAP),
        ({"contacts_per_day": 2}, _DAY, Reason.FREQUENCY_CAP),
        ({"contacts_per_week": 2}, 7 * _DAY, Reason.FREQUENCY_CAP),
        ({"contacts_per_session": 2}, 10 * _MINUTE + 1, Reason.FREQUENCY_CAP),
        ({"contacts_per_listening_hour": 2}, 90 * _MINUTE + 1, Reason.LISTENING_HOUR),
    ],
)
def test_a_contact_counts_until_it_is_as_old_as_the_period(
    campaign: dict[str, Any], border_ms: int, reason: Reason
) -> None:
    assert decide(_facts(0, border_ms - 1, **campaign)).reason is reason
    assert decide(_facts(border_ms - 1, 0, **campaign)).reason is reason
    assert decide(_facts(0, border_ms, **campaign)).reason is Reason.SHOW
    assert decide(_facts(border_ms, border_ms + 1, border_ms + _DAY, **campaign)).reason is Reason.SHOW
    assert decide(_facts(0, 1, 2, 3, **campaign)).reason is reason


@pytest.mark.parametrize(
    ("campaign", "border_ms"),
    [
        ({"minimum_gap_minutes": 20}, 20 * _MINUTE),
        ({"minimum_gap_tracks": 1}, 2 * _MINUTE),
        ({"minimum_gap_tracks": 3}, 10 * _MINUTE),
        ({"minimum_gap_minutes": 5, "minimum_gap_tracks": 2}, 6 * _MINUTE),
        ({"minimum_gap_minutes": 7, "minimum_gap_tracks": 2}, 7 * _MINUTE),
    ],
)
def test_a_gap_is_over_at_its_border(campaign: dict[str, Any], border_ms: int) -> None:
    assert decide(_facts(border_ms - 1, _DAY, **campaign)).reason is Reason.MINIMUM_GAP
    assert decide(_facts(_DAY, border_ms, **campaign)).reason is Reason.SHOW
    assert decide(_facts(**campaign)).reason is Reason.SHOW


@pytest.mark.parametrize("cap", ["contacts_per_hour", "contacts_per_day", "contacts_per_week", "contacts_per_session"])
@pytest.mark.parametrize("listener", [_LISTENER, None])
def test_a_cap_of_zero_is_always_reached(cap: str, listener: HotFeatures | None) -> None:
    assert decide(_facts(listener=listener, **{cap: 0})).reason is Reason.FREQUENCY_CAP


def test_the_hour_of_listening_of_somebody_without_listens_has_no_contacts() -> None:
    assert decide(_facts(0, listener=None, contacts_per_listening_hour=0)).reason is Reason.SHOW
    assert decide(_facts(contacts_per_listening_hour=0)).reason is Reason.LISTENING_HOUR
    assert decide(_facts(contacts_per_listening_hour=1)).reason is Reason.SHOW


def test_tracks_between_contacts_of_somebody_without_listens_are_not_counted() -> None:
    assert decide(_facts(0, listener=None, minimum_gap_tracks=1)).reason is Reason.SHOW


def test_a_session_that_begins_now_has_only_contacts_of_this_moment() -> None:
    over = _LISTENER._replace(newest_listen_ms=_NOW_MS - SESSION_PAUSE_MS - 1)
    assert decide(_facts(1, listener=over, contacts_per_session=1)).reason is Reason.SHOW
    assert decide(_facts(0, listener=over, contacts_per_session=1)).reason is Reason.FREQUENCY_CAP


def _named(facts: Facts) -> list[tuple[str, Any]]:
    return [(change.field, change.value) for change in nearest_yes(facts)]


def test_a_contact_after_our_clock_in_a_session_to_begin_is_waited_for() -> None:
    over = _LISTENER._replace(newest_listen_ms=_NOW_MS - SESSION_PAUSE_MS - 1)
    assert _named(_facts(-5, listener=over, contacts_per_session=1)) == [("now_ms", _NOW_MS + 6)]


@pytest.mark.parametrize(
    ("ago_ms", "campaign", "room_ms"),
    [
        ((10, 20, 30), {"contacts_per_hour": 3}, _HOUR - 30),
        ((10, 20, 30), {"contacts_per_hour": 2}, _HOUR - 20),
        ((10, 20, 30), {"contacts_per_week": 1}, 7 * _DAY - 10),
        ((10, 20, 30), {"contacts_per_session": 1}, SESSION_PAUSE_MS - 2 * _MINUTE + 1),
        ((10, 20, 30), {"minimum_gap_minutes": 30}, 30 * _MINUTE - 10),
    ],
)
def test_there_is_room_as_soon_as_enough_contacts_have_left(
    ago_ms: tuple[int, ...], campaign: dict[str, Any], room_ms: int
) -> None:
    assert _named(_facts(*ago_ms, **campaign)) == [("now_ms", _NOW_MS + room_ms)]


def _ways(facts: Facts, reason: Reason) -> list[list[tuple[str, Any]]]:
    (rule,) = (rule for rule in RULES if rule.reason is reason)
    return [[(change.field, change.value) for change in way] for way in rule.ways(facts)]


def test_a_cap_of_zero_is_raised_and_the_others_waited_for() -> None:
    facts = _facts(10, 20, contacts_per_hour=0, contacts_per_day=2)
    assert _ways(facts, Reason.FREQUENCY_CAP) == [
        [("now_ms", _NOW_MS + _DAY - 20), ("campaign.contacts_per_hour", 3)],
        [("campaign.contacts_per_hour", 3), ("campaign.contacts_per_day", 3)],
    ]


def test_caps_may_be_raised_to_sixty() -> None:
    facts = _facts(*range(59), contacts_per_day=59)
    assert _ways(facts, Reason.FREQUENCY_CAP)[1] == [("campaign.contacts_per_day", 60)]


def test_gaps_are_lowered_to_what_has_gone_by() -> None:
    facts = _facts(8 * _MINUTE - 1, minimum_gap_minutes=20, minimum_gap_tracks=16)
    assert _ways(facts, Reason.MINIMUM_GAP) == [
        [("now_ms", _NOW_MS + 12 * _MINUTE + 1), ("tracks", 14)],
        [("campaign.minimum_gap_minutes", 7), ("campaign.minimum_gap_tracks", 2)],
    ]


def test_a_contact_after_our_clock_is_within_every_gap() -> None:
    facts = _facts(-5, minimum_gap_minutes=20, minimum_gap_tracks=1)
    assert _ways(facts, Reason.MINIMUM_GAP) == [
        [("now_ms", _NOW_MS + 20 * _MINUTE + 5), ("tracks", 1)],
        [("campaign.minimum_gap_minutes", 0), ("campaign.minimum_gap_tracks", 0)],
    ]


def test_no_track_is_late_enough_for_a_contact_after_our_clock() -> None:
    assert _ways(_facts(-5, minimum_gap_tracks=2), Reason.MINIMUM_GAP) == [[("campaign.minimum_gap_tracks", 0)]]


@pytest.mark.parametrize(
    ("dismissed_ago_ms", "taken_ago_ms", "expected"),
    [
        (_HOUR, None, [[("now_ms", _HOUR)], [("campaign.cool_down_after_dismiss_hours", 1)]]),
        (2 * _HOUR - 1, 3 * _DAY, [[("now_ms", 1)], [("campaign.cool_down_after_dismiss_hours", 1)]]),
        (2 * _HOUR, 2 * _DAY, [[("now_ms", _DAY)], [("campaign.cool_down_after_conversion_days", 2)]]),
        (-5, None, [[("now_ms", 2 * _HOUR + 5)], [("campaign.cool_down_after_dismiss_hours", 0)]]),
        (
            _HOUR,
            _DAY,
            [
                [("now_ms", 2 * _DAY)],
                [("campaign.cool_down_after_dismiss_hours", 1), ("campaign.cool_down_after_conversion_days", 1)],
            ],
        ),
    ],
)
def test_a_cool_down_is_waited_for_or_lowered(
    dismissed_ago_ms: int, taken_ago_ms: int | None, expected: list[list[tuple[str, int]]]
) -> None:
    listener = _LISTENER._replace(
        last_dismiss_ms=_NOW_MS - dismissed_ago_ms,
        last_conversion_ms=None if taken_ago_ms is None else _NOW_MS - taken_ago_ms,
    )
    facts = _facts(listener=listener, cool_down_after_dismiss_hours=2, cool_down_after_conversion_days=3)
    assert decide(facts).reason is Reason.COOL_DOWN
    waits, fields = expected
    assert _ways(facts, Reason.COOL_DOWN) == [[(name, _NOW_MS + span) for name, span in waits], fields]


@pytest.mark.parametrize("listener", [None, _LISTENER])
def test_who_never_answered_an_offer_is_not_cooling_down(listener: HotFeatures | None) -> None:
    facts = _facts(listener=listener, cool_down_after_dismiss_hours=2, cool_down_after_conversion_days=3)
    assert decide(facts).reason is Reason.SHOW


def test_what_a_wait_says() -> None:
    assert nearest_yes(_facts(10_000, minimum_gap_minutes=1)) == (Change("now_ms", _NOW_MS + 50_000, "wait 50 s"),)


def test_a_gap_may_be_one_minute() -> None:
    assert decide(_facts(_MINUTE - 1, minimum_gap_minutes=1)).reason is Reason.MINIMUM_GAP


@pytest.mark.parametrize("field", ["cool_down_after_dismiss_hours", "cool_down_after_conversion_days"])
def test_a_cool_down_may_be_one_hour_or_day_and_is_of_its_own_kind_alone(field: str) -> None:
    listener = _LISTENER._replace(last_dismiss_ms=_NOW_MS + 5, last_conversion_ms=None)
    other = listener._replace(last_dismiss_ms=None, last_conversion_ms=_NOW_MS + 5)
    reasons = [decide(_facts(listener=each, **{field: 1})).reason for each in (listener, other)]
    expected = [Reason.COOL_DOWN, Reason.SHOW]
    assert reasons == (expected if field == "cool_down_after_dismiss_hours" else expected[::-1])


def test_an_unknown_customer_needs_a_prior_or_a_profile() -> None:
    assert _ways(_facts(listener=None), Reason.UNKNOWN_CUSTOMER) == [
        [("campaign.cold_start", "prior")],
        [("profile.known", True)],
    ]


def test_tracks_since_a_contact_are_told_as_far_back_as_listens_are_remembered() -> None:
    listener = _LISTENER._replace(recent_listens=struct.pack("<16I", *range(16)))
    (gap,) = (rule for rule in RULES if rule.reason is Reason.MINIMUM_GAP)
    assert "16 tracks since" in gap.detail(_facts(_DAY, listener=listener, minimum_gap_tracks=1))


def test_streaks_may_be_left_or_no_longer_spared() -> None:
    listener = _LISTENER._replace(streak_track_id=7)
    assert _ways(_facts(listener=listener, spare_streaks=True), Reason.IN_STREAK) == [
        [("tracks", 1)],
        [("campaign.spare_streaks", False)],
    ]
