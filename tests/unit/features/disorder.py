"""Logs as they come in: borders of every window, late events, events twice, for the tests against the oracle."""

import random
from collections.abc import Sequence
from typing import Final, TypeVar

from hypothesis import strategies as st

from interlude.features.state import Listen
from tests.unit.features.histories import BASE_MS, MINUTE_MS, OFFSETS

_Event = TypeVar("_Event")

_BORDERS_MINUTES: Final = (10, 15, 30)
"""What counts as listening at most, half a window of interest, and a pause or a window of interest."""
GAPS_MS: Final = (
    0,
    1,
    20_000,
    210_000,
    *(minutes * MINUTE_MS + nudge_ms for minutes in _BORDERS_MINUTES for nudge_ms in (-1, 0, 1)),
    6 * 60 * MINUTE_MS,
)
_LONG_GAPS_MS: Final = tuple(gap_ms for gap_ms in GAPS_MS if gap_ms >= 20_000)
"""A hundred of these are longer than a window of interest, so that what is kept holds every window in full."""
TRACKS: Final = (0, 0, 1, 256, 2**63 - 1)
_LATE_BY: Final = (0, 0, 0, 1, 3, 20)


def _played(plays: Sequence[tuple[int, int, bool, int | None]], hash_step: int) -> list[Listen]:
    """Listens with these gaps before them, in the order of their times; every event hash is there once."""
    at_ms, listens = BASE_MS, []
    for place, (gap_ms, track_id, mobile, offset_minutes) in enumerate(plays):
        at_ms += gap_ms
        # Hashes rise or fall with time: of one instant, sometimes the first and sometimes the last counts as the newest.
        listens.append(Listen(at_ms, (1 + place * hash_step) % 2**64, track_id, mobile, offset_minutes))
    return sorted(listens)


def _long(seed: int) -> list[Listen]:
    """More listens than are kept, or just as many, or just fewer."""
    chance = random.Random(seed)
    plays = [
        (
            chance.choice(_LONG_GAPS_MS),
            chance.choice(TRACKS),
            chance.random() < 0.5,
            chance.choice([None, -300, 90]),
        )
        for _ in range(chance.choice([99, 100, 101, 130]))
    ]
    return _played(plays, chance.choice([1, 2**64 - 1]))


seeds = st.integers(0, 2**32)
_hash_steps = st.sampled_from([1, 2**64 - 1, 2**63 + 1])
_any_plays = st.tuples(st.sampled_from(GAPS_MS), st.sampled_from(TRACKS), st.booleans(), OFFSETS)
_dense_plays = st.tuples(
    st.sampled_from((0, 10 * MINUTE_MS, 15 * MINUTE_MS, 1)), st.sampled_from((0, 0, 0, 1)), st.booleans(), st.just(0)
)
short_histories = st.builds(
    _played, st.one_of(st.lists(_any_plays, max_size=16), st.lists(_dense_plays, min_size=3, max_size=10)), _hash_steps
)
long_histories = st.builds(_long, seeds)


def late_and_twice(events: Sequence[_Event], seed: int) -> list[_Event]:
    """The same events, some of them late, some of them again, at once or much later."""
    chance = random.Random(seed)
    arriving = [(place + chance.choice(_LATE_BY), event) for place, event in enumerate(events)]
    again = [(place + chance.choice((0, 1, 50)), event) for place, event in arriving if chance.random() < 0.2]
    arriving += again
    return [event for _, event in sorted(arriving, key=lambda arrival: arrival[0])]
