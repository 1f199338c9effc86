"""Where a listener is now: against the oracle in any order, and at the exact borders."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlude.features.codec import decode_hot, encode_hot
from interlude.features.interest import interests_found
from interlude.features.moment import Moment, moment
from interlude.features.schema import LISTENS_KEPT, RECENT_LISTENS
from interlude.features.session import nth_newest_listen_ms
from interlude.features.state import AdEvent, AdEventKind, Event, Level, Listen, ListenerState, Profile
from tests.unit.features import oracle
from tests.unit.features.histories import (
    BASE_MS,
    HASHES,
    MINUTE_MS,
    ad_event_histories,
    ad_events,
    fold_all,
    histories,
    identity,
    long_history,
    seeds,
    shuffled,
)

HOUR_MS = 60 * MINUTE_MS

# Gaps rather than instants: at, just under and just over the borders of 10 and 30 minutes, and none at all.
gaps_ms = st.one_of(
    st.builds(
        lambda minutes, nudge_ms: max(0, minutes * MINUTE_MS + nudge_ms),
        st.sampled_from([0, 1, 3, 5, 10, 15, 20, 30, 60, 600]),
        st.integers(-1, 1),
    ),
    st.integers(0, 2 * HOUR_MS),
)


def _listens(gaps: list[int], track_ids: list[int], hashes: list[int]) -> list[Event]:
    at_ms = BASE_MS
    found: dict[tuple[int, int], Listen] = {}
    for gap_ms, track_id, event_hash in zip(gaps, track_ids, hashes, strict=True):
        at_ms += gap_ms
        listen = Listen(at_ms, event_hash, track_id, False, 0)
        found[identity(listen)] = listen
    return list(found.values())


def _walks(size: int, gap: st.SearchStrategy[int]) -> st.SearchStrategy[list[Event]]:
    return st.builds(
        _listens,
        st.lists(gap, min_size=size, max_size=size),
        st.lists(st.sampled_from([0, 1, 256, 2**63 - 1]), min_size=size, max_size=size),
        st.lists(HASHES, min_size=size, max_size=size),
    )


walks = st.integers(0, 24).flatmap(lambda size: _walks(size, gaps_ms))
dense_walks = st.integers(2, 24).flatmap(
    lambda size: _walks(size, st.sampled_from([0, 1, 5 * MINUTE_MS, 10 * MINUTE_MS]))
)
long_walks = st.integers(90, 110).flatmap(
    lambda size: _walks(size, st.sampled_from([1, 20_000, 210_000, 36 * MINUTE_MS]))
)


def _agrees_with_the_oracle(events: list[Event], found: Moment) -> None:
    listens, kept_ad_events = oracle.kept_listens(events), oracle.kept_ad_events(events)
    times = [listen.played_at_ms for listen in listens]
    members = oracle.session(listens)
    assert found.newest_listen_ms == max(times, default=None)
    assert found.session_began_ms == (members[0].played_at_ms if members else 0)
    assert found.session_tracks == len(members)
    assert found.listening_hour_began_ms == oracle.listening_hour_began_ms(times)
    newest = listens[-1] if listens else None
    closes = newest is not None and (newest.track_id, newest.event_hash) in _closing(listens)
    assert found.streak_track_id == (newest.track_id if newest is not None and closes else None)
    assert found.last_dismiss_ms == oracle.last_ms(kept_ad_events, AdEventKind.DISMISS)
    assert found.last_conversion_ms == oracle.last_ms(kept_ad_events, AdEventKind.CONVERSION)
    ages = [ago for (ago,) in struct.iter_unpack("<I", found.recent_listens)]
    assert len(ages) == min(len(times), RECENT_LISTENS)
    for ago, at_ms in zip(ages, reversed(times), strict=False):
        assert 0 <= at_ms - (times[-1] - ago * 1000) < 1000


def _closing(listens: list[Listen]) -> set[tuple[int, int]]:
    """As `oracle.closing_listens`, where one event hash may stand at several instants: only what the newest closes."""
    newest = listens[-1]
    same = [listen for listen in listens if listen.track_id == newest.track_id]
    in_window = [listen for listen in same if newest.played_at_ms - listen.played_at_ms <= 30 * MINUTE_MS]
    return {(newest.track_id, newest.event_hash)} if len(in_window) >= 3 else set()


@settings(max_examples=200)
@given(st.one_of(walks, dense_walks), ad_event_histories, seeds)
def test_any_order_and_repetition_gives_the_moment_of_the_oracle(
    listens: list[Event], ads: list[Event], seed: int
) -> None:
    events = [*listens, *ads]
    arrived = shuffled([*events, *shuffled(events, seed)[: seed % 7]], seed)
    _agrees_with_the_oracle(events, moment(fold_all(arrived)))


@settings(max_examples=40)
@given(st.one_of(long_walks, st.builds(long_history, seeds, st.integers(90, 130))))
def test_a_full_state_gives_the_moment_of_the_oracle(events: list[Event]) -> None:
    _agrees_with_the_oracle(events, moment(fold_all(events)))


@settings(max_examples=100)
@given(histories)
def test_far_instants_give_the_moment_of_the_oracle(events: list[Event]) -> None:
    _agrees_with_the_oracle(events, moment(fold_all(events)))


@settings(max_examples=60)
@given(st.one_of(dense_walks, walks))
def test_a_streak_is_an_interest_that_the_newest_listen_closes(events: list[Event]) -> None:
    state = fold_all(events)
    listens = oracle.kept_listens(events)
    if not listens:
        return
    newest = listens[-1]
    closed = [
        interest
        for interest in interests_found(state.listens, newest)
        if (interest.window_end_ms, interest.closing_hash) == identity(newest)
    ]
    assert (moment(state).streak_track_id is not None) == bool(closed)


@settings(max_examples=60)
@given(walks, st.lists(ad_events, max_size=4))
def test_the_hot_value_carries_the_whole_moment(listens: list[Event], ads: list[Event]) -> None:
    state = fold_all([*listens, *ads])
    hot = decode_hot(encode_hot(state))
    assert [getattr(hot, name) for name in Moment._fields] == list(moment(state))


def _played_at(*minutes: float, track_id: int = 7) -> ListenerState:
    """Listens that began so many minutes after `BASE_MS`."""
    return fold_all(
        [Listen(BASE_MS + round(at * MINUTE_MS), number, track_id, False, 0) for number, at in enumerate(minutes)]
    )


def test_nothing_kept_is_the_empty_moment() -> None:
    assert moment(ListenerState()) == Moment()


def test_a_profile_alone_is_the_empty_moment() -> None:
    profile = Profile(1, Level.FREE, active=True, consent_player_offers=True, consent_sms=True)
    assert moment(fold_all([profile])) == Moment()


def test_answers_alone_are_a_moment_without_listens() -> None:
    kinds = [AdEventKind.DISMISS, AdEventKind.DISMISS, AdEventKind.CONVERSION, AdEventKind.CLICK]
    events: list[Event] = [AdEvent(BASE_MS + at, at, 7, kind) for at, kind in enumerate(kinds)]
    expected = Moment(last_dismiss_ms=BASE_MS + 1, last_conversion_ms=BASE_MS + 2)
    assert moment(fold_all(events))._replace(offer_counts=b"") == expected
    assert decode_hot(encode_hot(fold_all(events))).last_dismiss_ms == BASE_MS + 1


def test_impressions_and_clicks_are_no_answers() -> None:
    events: list[Event] = [AdEvent(BASE_MS, 1, 7, AdEventKind.IMPRESSION), AdEvent(BASE_MS, 2, 7, AdEventKind.CLICK)]
    assert moment(fold_all(events))._replace(offer_counts=b"") == Moment()


@pytest.mark.parametrize(("over_ms", "tracks"), [(0, 3), (1, 1)])
def test_a_pause_of_more_than_half_an_hour_begins_a_session(over_ms: int, tracks: int) -> None:
    found = moment(_played_at(0, 5, 35 + over_ms / MINUTE_MS))
    assert found.session_tracks == tracks
    assert found.session_began_ms == (BASE_MS if tracks == 3 else BASE_MS + 35 * MINUTE_MS + 1)


def test_a_session_may_be_longer_than_what_is_kept() -> None:
    found = moment(_played_at(*(3.5 * number for number in range(LISTENS_KEPT + 20))))
    assert found.session_tracks == LISTENS_KEPT
    assert found.session_began_ms == BASE_MS + 20 * 210_000


@pytest.mark.parametrize(("over_ms", "streak"), [(0, 7), (1, None)])
def test_three_plays_within_exactly_half_an_hour_are_a_streak(over_ms: int, streak: int | None) -> None:
    assert moment(_played_at(0, 15, 30 + over_ms / MINUTE_MS)).streak_track_id == streak


def test_another_track_ends_a_streak() -> None:
    state = _played_at(0, 3, 6)
    assert moment(fold_all([Listen(BASE_MS + 9 * MINUTE_MS, 9, 8, False, 0)], state)).streak_track_id is None


def test_track_0_can_be_a_streak() -> None:
    assert decode_hot(encode_hot(_played_at(0, 3, 6, track_id=0))).streak_track_id == 0


def test_a_track_whose_bytes_appear_inside_others_is_no_streak() -> None:
    others: list[Event] = [Listen(BASE_MS + number, number, 256**number, False, 0) for number in range(1, 7)]
    state = fold_all([*others, Listen(BASE_MS + 10, 10, 0, False, 0), Listen(BASE_MS + 11, 11, 0, False, 0)])
    assert moment(state).streak_track_id is None


def test_an_hour_of_listening_without_a_pause_began_an_hour_ago() -> None:
    assert moment(_played_at(0, *range(7, 70, 7), 70)).listening_hour_began_ms == BASE_MS + 10 * MINUTE_MS


@pytest.mark.parametrize(("short_ms", "began_ms"), [(0, BASE_MS), (1, 0)])
def test_an_hour_that_is_just_kept_counts_and_one_millisecond_less_does_not(short_ms: int, began_ms: int) -> None:
    assert moment(_played_at(*range(0, 60, 6), 60 - short_ms / MINUTE_MS)).listening_hour_began_ms == began_ms


def test_a_pause_counts_as_ten_minutes_after_the_listen_before_it() -> None:
    # Up to the newest: 35 minutes; before the night: 10 and 20 more. The hour began 5 minutes into those.
    night = 600
    minutes = [0, 5, 10, 15, 20, *(20 + night + 5 * number for number in range(8))]
    assert moment(_played_at(*minutes)).listening_hour_began_ms == BASE_MS + 5 * MINUTE_MS


def test_an_hour_may_begin_within_the_listening_before_a_pause() -> None:
    # 55 minutes up to the newest; the other 5 are the last of the 10 that the listen before the night counts.
    minutes = [0, *(600 + 5 * number for number in range(12))]
    assert moment(_played_at(*minutes)).listening_hour_began_ms == BASE_MS + 5 * MINUTE_MS


def test_six_listens_each_a_day_after_the_other_are_an_hour() -> None:
    assert moment(_played_at(*(1440 * day for day in range(7)))).listening_hour_began_ms == BASE_MS
    assert moment(_played_at(*(1440 * day for day in range(6)))).listening_hour_began_ms == 0


@pytest.mark.parametrize(("ago_ms", "seconds"), [(0, 0), (1, 1), (999, 1), (1000, 1), (1001, 2)])
def test_a_recent_listen_is_rounded_to_the_second_before_it(ago_ms: int, seconds: int) -> None:
    state = fold_all([Listen(BASE_MS - ago_ms, 1, 7, False, 0), Listen(BASE_MS, 2, 7, False, 0)])
    assert moment(state).recent_listens == struct.pack("<2I", 0, seconds)
    assert nth_newest_listen_ms(decode_hot(encode_hot(state)), 2) == BASE_MS - 1000 * seconds


def test_a_listen_too_long_ago_for_four_bytes_is_left_out() -> None:
    newest_ms = 1000 * 2**32
    kept, lost = fold_all([Listen(1000, 1, 7, False, 0)]), fold_all([Listen(999, 1, 7, False, 0)])
    newest = Listen(newest_ms, 2, 7, False, 0)
    assert moment(fold_all([newest], kept)).recent_listens == struct.pack("<2I", 0, 2**32 - 1)
    assert moment(fold_all([newest], lost)).recent_listens == struct.pack("<I", 0)
