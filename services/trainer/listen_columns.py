"""Listens of many customers as sorted columns, from which the kept listens of any moment are cut without folding. Pure.

A state keeps the newest `LISTENS_KEPT` listens by (time, event hash), each once: of listens that are sorted so, that is a slice.
What is cut is what `interlude.features.fold` ends with, byte for byte; tests and `bench.learning.scale` hold them together.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from interlude.features.local_time import day_part
from interlude.features.schema import LISTENS_KEPT
from interlude.features.state import ListenMark, Listens
from interlude.features.tracks import count_tracks

Integers = npt.NDArray[np.int64]

LOCAL_TIME_UNKNOWN: Final = -(2**31)
"""In a column of offsets from UTC: the player did not say."""

_MINUTE_MS: Final = 60_000
_HOUR_MS: Final = 60 * _MINUTE_MS
_PART_OF_HOUR: Final = np.array([day_part(hour * _HOUR_MS, 0) for hour in range(24)], np.uint8)


@dataclass(frozen=True, slots=True)
class ListenColumns:
    """Sorted by (customer, time, event hash), each event once; all of shape (listens,). The last four are little-endian bytes of
    the columns' values, as a state keeps them."""

    customer_ids: Integers
    times: Integers
    played_at_ms: bytes
    event_hash: bytes
    track_id: bytes
    marks: bytes

    def of(self, customer_id: int) -> tuple[int, int]:
        """Where the customer's listens begin and end."""
        begin, end = np.searchsorted(self.customer_ids, (customer_id, customer_id + 1))
        return int(begin), int(end)

    def before(self, at_ms: int, begin: int, end: int) -> Listens:
        """What a state keeps of the listens from `begin` to `end`, one customer's, that are earlier than `at_ms`."""
        last = begin + int(np.searchsorted(self.times[begin:end], at_ms))
        first = max(begin, last - LISTENS_KEPT)
        words = slice(8 * first, 8 * last)
        track_ids = self.track_id[words]
        tracks = count_tracks(track_ids)
        return Listens(self.played_at_ms[words], self.event_hash[words], track_ids, self.marks[first:last], tracks)


def to_columns(
    customer_ids: Integers,
    times: Integers,
    event_ids: Sequence[str],
    track_ids: Integers,
    mobile: npt.NDArray[np.bool_],
    offsets: Integers,
) -> ListenColumns:
    """Columns of listens in any order, with repetitions; all of one length. `offsets`: minutes, or `LOCAL_TIME_UNKNOWN`."""
    hashes = hash_ids(event_ids)
    order = np.lexsort((hashes, times, customer_ids))
    customers, moments, hashes = customer_ids[order], times[order], hashes[order]
    new = np.ones(len(order), np.bool_)
    new[1:] = (customers[1:] != customers[:-1]) | (moments[1:] != moments[:-1]) | (hashes[1:] != hashes[:-1])
    kept = order[new]
    marks = listen_marks(times[kept], mobile[kept], offsets[kept])
    return ListenColumns(
        customer_ids=customers[new],
        times=moments[new],
        played_at_ms=moments[new].astype("<u8").tobytes(),
        event_hash=hashes[new].astype("<u8").tobytes(),
        track_id=track_ids[kept].astype("<u8").tobytes(),
        marks=marks.tobytes(),
    )


def hash_ids(texts: Sequence[str]) -> npt.NDArray[np.uint64]:
    """`interlude.features.state.hash_id` of each text."""
    digests = b"".join([hashlib.blake2b(text.encode(), digest_size=8).digest() for text in texts])
    return np.frombuffer(digests, "<u8").astype(np.uint64)


def listen_marks(times: Integers, mobile: npt.NDArray[np.bool_], offsets: Integers) -> npt.NDArray[np.uint8]:
    """`interlude.features.fold.listen_mark` of each listen."""
    known = offsets != LOCAL_TIME_UNKNOWN
    parts = _PART_OF_HOUR[(times // _MINUTE_MS + np.where(known, offsets, 0)) // 60 % 24]
    placed = np.where(known, parts, np.uint8(ListenMark.LOCAL_TIME_UNKNOWN.value))
    return (placed | np.where(mobile, np.uint8(ListenMark.MOBILE.value), np.uint8(0))).astype(np.uint8)
