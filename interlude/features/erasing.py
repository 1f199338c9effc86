"""What an erasure takes from a state.

The kept rows are the newest ones, and an erasure takes the oldest: whichever comes first, the same rows are left.
"""

import struct
from bisect import bisect_right

from interlude.features.state import AdEvents, ListenerState, Listens
from interlude.features.tracks import count_tracks

_Columns = tuple[bytes, bytes, bytes, bytes]


def without_erased(state: ListenerState, erased_at_ms: int) -> ListenerState:
    """`state` without anything of `erased_at_ms` or before, which it remembers."""
    profile = state.profile
    columns = _after(state.listens[:4], erased_at_ms)
    return state._replace(
        profile=profile if profile is not None and profile.updated_at_ms > erased_at_ms else None,
        listens=Listens(*columns, count_tracks(columns[2])),
        ad_events=AdEvents(*_after(state.ad_events, erased_at_ms)),
        erased_at_ms=erased_at_ms,
    )


def _after(rows: _Columns, at_ms: int) -> _Columns:
    """The rows younger than `at_ms`."""
    times, hashes, words, marks = rows
    place = bisect_right(struct.unpack(f"<{len(marks)}Q", times), at_ms)
    return times[8 * place :], hashes[8 * place :], words[8 * place :], marks[place:]
