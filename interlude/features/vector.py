"""The numbers a model takes, from a state."""

import struct
from typing import Final

from interlude.features.local_time import day_part_in_zone
from interlude.features.schema import FEATURES
from interlude.features.state import DayPart, ListenerState, ListenMark

_DEFAULTS: Final[tuple[float, ...]] = tuple(feature.default for feature in FEATURES)
_LOCAL_MARKS: Final[tuple[tuple[DayPart, bytes, bytes], ...]] = tuple(
    (part, bytes((part,)), bytes((part | ListenMark.MOBILE,))) for part in DayPart
)
# Plain integers: operators of an IntFlag take half a microsecond each, and these run for every kept listen.
_MOBILE: Final = ListenMark.MOBILE.value
_LOCAL_TIME_UNKNOWN: Final = ListenMark.LOCAL_TIME_UNKNOWN.value


def vector(state: ListenerState) -> tuple[float, ...]:
    """One value per entry of `schema.FEATURES`, in its order; the defaults when no listen is known."""
    listens = state.listens
    count = len(listens.marks)
    if not count:
        return _DEFAULTS
    parts, mobile = _day_parts(state)
    tracks = len(set(struct.unpack(f"<{count}Q", listens.track_id)))
    return (*(listened / count for listened in parts), mobile / count, tracks / count)


def _day_parts(state: ListenerState) -> tuple[list[int], int]:
    """Listens per `DayPart`, and listens on mobile."""
    marks = state.listens.marks
    parts = [0] * len(DayPart)
    mobile = 0
    placed = 0
    for part, elsewhere_mark, mobile_mark in _LOCAL_MARKS:
        on_mobile = marks.count(mobile_mark)
        parts[part] = on_mobile + marks.count(elsewhere_mark)
        mobile += on_mobile
        placed += parts[part]
    if placed < len(marks):
        mobile += _place_by_zone(state, parts)
    return parts, mobile


def _place_by_zone(state: ListenerState, parts: list[int]) -> int:
    """Count the listens that came without local time into `parts`, by the profile's zone; returns those on mobile."""
    listens = state.listens
    zone = state.profile.time_zone if state.profile else ""
    mobile = 0
    for (at_ms,), mark in zip(struct.iter_unpack("<Q", listens.played_at_ms), listens.marks, strict=True):
        if mark & _LOCAL_TIME_UNKNOWN:
            parts[day_part_in_zone(at_ms, zone)] += 1
            mobile += bool(mark & _MOBILE)
    return mobile
