"""Point-in-time rows: nothing from the moment itself or after it reaches the features, and clicks find their impression."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlude.features.fold import fold
from interlude.features.state import AdEvent, AdEventKind, Level, Listen, ListenerState, Profile, hash_id
from interlude.features.vector import vector
from services.trainer.history import CustomerEvents, LoggedAdEvent, Row, RowKind, RowRule, final_state, rows_of

HOUR_MS = 3_600_000
NOON_MS = 1_700_049_600_000  # a day's 12:00 UTC
CAMPAIGN = "upgrade"
IMPRESSIONS = RowRule(RowKind.IMPRESSIONS, CAMPAIGN, 24 * HOUR_MS)
CLICKS = RowRule(RowKind.CLICKS, CAMPAIGN, 24 * HOUR_MS)


def listen(at_ms: int, *, mobile: bool = True, track_id: int = 1, offset: int | None = 0) -> Listen:
    """One play."""
    return Listen(at_ms, hash_id(f"{at_ms}/{track_id}"), track_id, mobile, offset)


def ad(kind: AdEventKind, at_ms: int, decision_id: str = "", campaign: str = CAMPAIGN) -> LoggedAdEvent:
    """One ad event."""
    return LoggedAdEvent(AdEvent(at_ms, hash_id(f"{kind}/{at_ms}/{decision_id}"), hash_id(campaign), kind), decision_id)


def impression(at_ms: int, decision_id: str = "") -> LoggedAdEvent:
    """The offer was seen."""
    return ad(AdEventKind.IMPRESSION, at_ms, decision_id)


def click(at_ms: int, decision_id: str = "", campaign: str = CAMPAIGN) -> LoggedAdEvent:
    """The offer was clicked."""
    return ad(AdEventKind.CLICK, at_ms, decision_id, campaign)


def rows(events: CustomerEvents, rule: RowRule = IMPRESSIONS) -> list[Row]:
    """The rows that were not dropped."""
    return [row for row in rows_of(events, rule) if row is not None]


def labels(*ad_events: LoggedAdEvent) -> list[float]:
    """The labels of the impressions among these events, by time."""
    return [row.label for row in rows(CustomerEvents(ad_events=list(ad_events)))]


def test_features_are_those_just_before_the_impression() -> None:
    before = listen(NOON_MS - 1, mobile=True)
    same_moment = listen(NOON_MS, mobile=False, track_id=2)
    after = listen(NOON_MS + 1, mobile=False, track_id=3)
    events = CustomerEvents(listens=[after, same_moment, before], ad_events=[impression(NOON_MS)])
    assert rows(events) == [Row(NOON_MS, 0.0, vector(fold(ListenerState(), before).state))]


def test_a_stranger_is_a_row_for_impressions_and_dropped_for_clicks() -> None:
    shown = CustomerEvents(ad_events=[impression(NOON_MS)])
    assert rows(shown) == [Row(NOON_MS, 0.0, vector(ListenerState()))]
    clicked = CustomerEvents(ad_events=[click(NOON_MS)], listens=[listen(NOON_MS)])
    assert list(rows_of(clicked, CLICKS)) == [None]


def test_profile_counts_from_its_own_time_on() -> None:
    late_zone = Profile(NOON_MS + HOUR_MS, Level.FREE, True, True, True, time_zone="Asia/Tokyo")
    plays = [listen(NOON_MS - 1, offset=None)]
    shown = [impression(NOON_MS), impression(NOON_MS + 2 * HOUR_MS)]
    first, second = rows(CustomerEvents(plays, [late_zone], shown))
    assert first.features[:4] == (1.0, 0.0, 0.0, 0.0)  # 11:59 in UTC
    assert second.features[:4] == (0.0, 0.0, 1.0, 0.0)  # 20:59 in Tokyo


def test_nothing_is_learned_from_what_was_erased() -> None:
    late_zone = Profile(NOON_MS, Level.FREE, True, True, True)
    events = CustomerEvents(
        [listen(NOON_MS), listen(NOON_MS + 1)], [late_zone], [impression(NOON_MS), impression(NOON_MS + 2)]
    )
    events.erased_at_ms = NOON_MS
    events.drop_erased()
    assert events == CustomerEvents([listen(NOON_MS + 1)], [], [impression(NOON_MS + 2)], NOON_MS)


def test_rows_know_gender_and_birth_year_from_the_profile_of_their_moment() -> None:
    before = Profile(NOON_MS - 1, Level.FREE, True, True, True, gender=1, birth_year=1990)
    after = Profile(NOON_MS + 1, Level.FREE, True, True, True, gender=2, birth_year=1991)
    (row,) = rows(CustomerEvents(profiles=[after, before], ad_events=[impression(NOON_MS)]))
    assert (row.gender, row.birth_year) == (1, 1990)
    (unknown,) = rows(CustomerEvents(profiles=[after], ad_events=[impression(NOON_MS)]))
    assert (unknown.gender, unknown.birth_year) == (0, 0)


@pytest.mark.parametrize(
    ("ad_events", "expected"),
    [
        ([impression(0, "a"), click(5, "a")], [1.0]),
        ([impression(0, "a"), click(5, "b")], [0.0]),
        ([impression(0, "a"), impression(3, "b"), click(5, "a")], [1.0, 0.0]),
        ([impression(0), impression(3), click(5)], [0.0, 1.0]),
        ([impression(0, "a"), click(5)], [1.0]),
        ([impression(0), click(5, "a")], [1.0]),
        ([impression(5, "a"), click(0, "a")], [0.0]),
        ([impression(0), click(5, campaign="other")], [0.0]),
        ([impression(0, "a"), click(24 * HOUR_MS, "a")], [1.0]),
        ([impression(0, "a"), click(24 * HOUR_MS + 1, "a")], [0.0]),
    ],
)
def test_clicks_find_their_impression(ad_events: list[LoggedAdEvent], expected: list[float]) -> None:
    moved = [LoggedAdEvent(one.event._replace(at_ms=one.event.at_ms + NOON_MS), one.decision_id) for one in ad_events]
    assert labels(*moved) == expected


def test_repeated_delivery_makes_no_second_row() -> None:
    assert labels(impression(NOON_MS, "a"), impression(NOON_MS, "a"), click(NOON_MS + 1, "a")) == [1.0]


def test_impressions_of_other_campaigns_are_no_rows() -> None:
    other = ad(AdEventKind.IMPRESSION, NOON_MS, "a", "other")
    assert labels(other) == []


def test_click_rows_are_labelled_by_campaign() -> None:
    clicks = [click(NOON_MS), click(NOON_MS + 1, campaign="other"), impression(NOON_MS + 2)]
    events = CustomerEvents(listens=[listen(NOON_MS - 1)], ad_events=clicks)
    assert [row.label for row in rows(events, CLICKS)] == [1.0, 0.0]


moments = st.integers(min_value=NOON_MS, max_value=NOON_MS + 50)


@given(st.lists(moments, max_size=30), st.lists(moments, max_size=10), st.integers(0, 2**32))
def test_rows_equal_folding_everything_earlier(plays: list[int], shown: list[int], seed: int) -> None:
    listens = [listen(at_ms, track_id=place, mobile=place % 2 == 0) for place, at_ms in enumerate(plays)]
    ad_events = [impression(at_ms, f"d{place}") for place, at_ms in enumerate(shown)]
    random.Random(seed).shuffle(listens)
    got = rows(CustomerEvents(listens=listens, ad_events=ad_events))
    assert [row.at_ms for row in got] == sorted(shown)
    for row in got:
        earlier = CustomerEvents(listens=[play for play in listens if play.played_at_ms < row.at_ms])
        assert row.features == vector(final_state(earlier))


@given(st.lists(moments, max_size=20), st.lists(moments, max_size=10))
def test_what_comes_later_changes_no_features(plays: list[int], later: list[int]) -> None:
    shown = [impression(NOON_MS + 25)]
    listens = [listen(at_ms, track_id=place) for place, at_ms in enumerate(plays)]
    more = [listen(at_ms + 25, track_id=1000 + place) for place, at_ms in enumerate(later)]
    alone = rows(CustomerEvents(listens=listens, ad_events=shown))
    outcome = [click(NOON_MS + 30)]
    assert [row.features for row in rows(CustomerEvents(listens=listens + more, ad_events=shown + outcome))] == [
        row.features for row in alone
    ]
