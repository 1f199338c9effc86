"""Interests: which listens close one, at the borders and in any order."""

import random
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlude.features.fold import Outcome, fold
from interlude.features.interest import Interest, interests_found
from interlude.features.schema import LISTENS_KEPT
from interlude.features.state import Event, Listen, ListenerState
from tests.unit.features import oracle
from tests.unit.features.histories import BASE_MS, MINUTE_MS, OFFSETS, identity, long_history, seeds

HALF_HOUR_MS = 30 * MINUTE_MS

# Every listen has a hash of its own, as in production; instants and tracks are few, so that windows are full and touch.
dense_listens = st.builds(
    Listen,
    st.builds(lambda step, nudge_ms: BASE_MS + step * 10 * MINUTE_MS + nudge_ms, st.integers(0, 8), st.integers(-1, 1)),
    st.integers(0, 2**64 - 1),
    st.sampled_from([0, 1, 2**63 - 1]),
    st.just(False),
    OFFSETS,
)
dense_histories = st.lists(dense_listens, max_size=12, unique_by=lambda listen: listen.event_hash)


def _play(minutes: float, event_hash: int, *, track_id: int = 7) -> Listen:
    return Listen(BASE_MS + int(minutes * MINUTE_MS), event_hash, track_id, False, 0)


def _emitted(listens: list[Listen]) -> list[Interest]:
    state = ListenerState()
    found = []
    for listen in listens:
        state, outcome = fold(state, listen)
        if outcome is Outcome.TAKEN:
            found += interests_found(state.listens, listen)
    return found


def _closing(listens: list[Listen]) -> set[tuple[int, int]]:
    return {(interest.track_id, interest.closing_hash) for interest in _emitted(listens)}


@given(dense_histories.flatmap(st.permutations))
def test_any_order_finds_what_the_oracle_finds(listens: list[Listen]) -> None:
    assert _closing(listens) == oracle.closing_listens(listens)


@settings(max_examples=40)
@given(dense_histories, seeds)
def test_repetition_finds_nothing_new(listens: list[Listen], seed: int) -> None:
    repeated = random.Random(seed).sample(listens, len(listens) // 2)
    assert _emitted([*listens, *repeated]) == _emitted(listens)


@settings(max_examples=10)
@given(seeds)
def test_a_whole_window_of_kept_listens_agrees_with_the_oracle(seed: int) -> None:
    listens = [event for event in long_history(seed, LISTENS_KEPT) if isinstance(event, Listen)]
    assert _closing(listens) == oracle.closing_listens(listens)


@pytest.mark.parametrize("rows_in_window", [15, 18, 19, 20, 21, 22, 25])
@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_rows_that_are_not_looked_at_would_change_nothing(rows_in_window: int, at_once: int) -> None:
    step_ms = HALF_HOUR_MS // rows_in_window
    in_order = [
        Listen(BASE_MS + number // at_once * at_once * step_ms, number, number % 10, False, 0) for number in range(60)
    ]
    late = random.Random(rows_in_window).sample(in_order, len(in_order))
    for listens in (in_order, late):
        assert _closing(listens) == oracle.closing_listens(listens)


@given(dense_histories)
def test_every_interest_describes_a_real_window(listens: list[Listen]) -> None:
    known = {listen.event_hash: identity(listen) for listen in listens}
    for interest in _emitted(listens):
        assert interest.listens >= 3
        assert interest.window_end_ms == known[interest.closing_hash][0]
        assert 0 <= interest.window_end_ms - interest.window_start_ms <= HALF_HOUR_MS


def test_the_third_listen_after_exactly_half_an_hour_closes_an_interest() -> None:
    assert _emitted([_play(0, 1), _play(15, 2), _play(30, 3)]) == [
        Interest(track_id=7, closing_hash=3, window_start_ms=BASE_MS, window_end_ms=BASE_MS + HALF_HOUR_MS, listens=3)
    ]


def test_one_millisecond_more_than_half_an_hour_is_no_interest() -> None:
    late = Listen(BASE_MS + HALF_HOUR_MS + 1, 3, 7, False, 0)
    assert _emitted([_play(0, 1), _play(15, 2), late]) == []


def test_two_listens_or_three_tracks_are_no_interest() -> None:
    assert _emitted([_play(0, 1), _play(1, 2)]) == []
    assert _emitted([_play(0, 1), _play(1, 2), _play(2, 3, track_id=8)]) == []


def test_a_fourth_listen_closes_a_second_interest_with_all_four() -> None:
    assert [interest.listens for interest in _emitted([_play(0, 1), _play(1, 2), _play(2, 3), _play(3, 4)])] == [3, 4]


def test_a_late_listen_completes_the_interests_behind_it() -> None:
    # With the one at minute 1 missing no window has three; with it, those that end at 25 and at 31 do.
    found = _emitted([_play(0, 1), _play(25, 2), _play(31, 3), _play(1, 4)])
    assert [(interest.closing_hash, interest.listens) for interest in found] == [(2, 3), (3, 3)]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_three_listens_of_one_instant_are_an_interest_closed_by_the_greatest_hash(order: tuple[int, ...]) -> None:
    plays = [_play(0, 5), _play(0, 6), _play(0, 7)]
    assert _closing([plays[place] for place in order]) == {(7, 7)}


def test_a_track_whose_bytes_appear_inside_others_is_not_miscounted() -> None:
    listens: list[Event] = [_play(number, number, track_id=0) for number in range(2)]
    others = [_play(number, 10 + number, track_id=256**number) for number in range(1, 7)]
    assert _emitted([*others, *[listen for listen in listens if isinstance(listen, Listen)]]) == []
