"""How many different tracks there are in a column of track ids, kept up to date row by row."""

import struct
from typing import Final

_TRACK: Final = struct.Struct("<Q")


def count_tracks(track_ids: bytes) -> int:
    """The different ones in a column of 8 bytes a row."""
    return len(set(struct.unpack(f"<{len(track_ids) // 8}Q", track_ids)))


def tracks_after(tracks: int, before: bytes, after: bytes, added: int) -> int:
    """How many there are in `after`, made from `before`, which has `tracks`, by one more row of the track `added`, and, where both
    are of the same length, without the oldest row."""
    if not _has(before, _TRACK.pack(added)):
        tracks += 1
    if len(after) == len(before) and not _has(after, before[:8]):
        tracks -= 1
    return tracks


def _has(track_ids: bytes, track: bytes) -> bool:
    """Whether some row is that one: bytes that only look like it across two rows do not count."""
    place = track_ids.find(track)
    while place > 0 and place % 8:
        place = track_ids.find(track, place + 1)
    return place >= 0
