"""Interest: the same track at least 3 times within 30 minutes of event time.

A listen *closes* an interest when it and the listens of its track in the 30 minutes up to it, both ends included, are at
least three. Which listens close one depends on the set of listens alone, so late, doubled and disordered events end in the
same interests; an interest found twice carries the same id.
"""

import struct
from bisect import bisect_left
from collections.abc import Sequence
from typing import Final, NamedTuple

from interlude.features.schema import INTEREST_LISTENS, INTEREST_WINDOW_MS
from interlude.features.state import Listen, Listens

_WORD: Final = struct.Struct("<Q")
_NEAR_BYTES: Final = 8 * 20
"""Of a column: half an hour has eight tracks, or some more with skips."""


class Interest(NamedTuple):
    """One interest: `closing_hash` is the event hash of the listen that closed it; the window's ends are its listens' times."""

    track_id: int
    closing_hash: int
    window_start_ms: int
    window_end_ms: int
    listens: int


def interests_found(listens: Listens, listen: Listen) -> list[Interest]:
    """The interests that exist in `listens` because `listen`, which it includes, is there; oldest first."""
    # Every window that includes `listen` begins here or later.
    start = _first_near(listens.played_at_ms, listen.played_at_ms - INTEREST_WINDOW_MS)
    # Counting unaligned bytes may count too much, never too little: enough to dismiss almost every listen at once.
    if listens.track_id.count(_WORD.pack(listen.track_id), start) < INTEREST_LISTENS:
        return []
    plays = _plays_of(listens, listen.track_id, start)
    found = []
    for place, (closing_ms, closing_hash) in enumerate(plays):
        if not _in_window(closing_ms, closing_hash, listen):
            continue
        window = [at_ms for at_ms, _ in plays[: place + 1] if at_ms >= closing_ms - INTEREST_WINDOW_MS]
        closes_itself = closing_hash == listen.event_hash
        if len(window) == INTEREST_LISTENS or (closes_itself and len(window) > INTEREST_LISTENS):
            found.append(Interest(listen.track_id, closing_hash, window[0], closing_ms, len(window)))
    return found


def streak_track_id(listens: Listens, times: Sequence[int]) -> int | None:
    """The track of the newest listen where that listen closes an interest, else None. `times` is `listens.played_at_ms`,
    unpacked; at least one listen."""
    track = listens.track_id[-8:]
    start = bisect_left(times, times[-1] - INTEREST_WINDOW_MS)
    in_window = listens.track_id[8 * start :]
    if in_window.count(track) < INTEREST_LISTENS:  # never too little, as above
        return None
    track_ids = struct.unpack(f"<{len(times) - start}Q", in_window)
    return track_ids[-1] if track_ids.count(track_ids[-1]) >= INTEREST_LISTENS else None


def _in_window(closing_ms: int, closing_hash: int, listen: Listen) -> bool:
    """Whether `listen` is inside the window that a listen at `closing_ms` closes."""
    if (closing_ms, closing_hash) < (listen.played_at_ms, listen.event_hash):
        return False
    return listen.played_at_ms >= closing_ms - INTEREST_WINDOW_MS


def _first_near(played_at_ms: bytes, since_ms: int) -> int:
    """In bytes, a row of that column before which all are older than `since_ms`: the first of the last few rows, or 0."""
    start = len(played_at_ms) - _NEAR_BYTES
    return start if start > 0 and _WORD.unpack_from(played_at_ms, start)[0] < since_ms else 0


def _plays_of(listens: Listens, track_id: int, start: int) -> list[tuple[int, int]]:
    """Time and event hash of each play of the track, from the row at that byte of a column on."""
    layout = f"<{len(listens.marks) - start // 8}Q"
    rows = zip(
        struct.unpack_from(layout, listens.played_at_ms, start),
        struct.unpack_from(layout, listens.event_hash, start),
        struct.unpack_from(layout, listens.track_id, start),
        strict=True,
    )
    return [(at_ms, event_hash) for at_ms, event_hash, track in rows if track == track_id]
