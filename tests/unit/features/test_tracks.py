"""Different tracks, row by row: as if counted anew each time, also where bytes look like a track across two rows."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from interlude.features.tracks import count_tracks, tracks_after

TRACKS = st.sampled_from([0, 1, 256, 65_536, 2**32, 2**56, 2**63 - 1, 2**40 + 1])


def _column(track_ids: list[int]) -> bytes:
    return struct.pack(f"<{len(track_ids)}Q", *track_ids)


@given(st.lists(TRACKS, max_size=12), TRACKS, st.integers(0, 12), st.booleans())
def test_a_row_more_and_perhaps_the_oldest_less(kept: list[int], added: int, place: int, full: bool) -> None:
    after = [*kept[:place], added, *kept[place:]]
    if full and place > 0 and kept:
        after = after[1:]
    before = _column(kept)
    assert (
        tracks_after(len(set(kept)), before, _column(after), added) == len(set(after)) == count_tracks(_column(after))
    )
