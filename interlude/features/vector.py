"""The numbers of a model that follow from a state alone."""

import struct
from typing import Final

from interlude.features.local_time import day_part_in_zone
from interlude.features.schema import STATE_FEATURES
from interlude.features.state import DayPart, ListenerState, ListenMark

_DEFAULTS: Final[tuple[float, ...]] = tuple(feature.default for feature in STATE_FEATURES)
# Plain integers: operators of an IntFlag take half a microsecond each, and these run for every kept listen.
_MOBILE: Final = ListenMark.MOBILE.value
_LOCAL_TIME_UNKNOWN: Final = ListenMark.LOCAL_TIME_UNKNOWN.value
_MORNING, _AFTERNOON, _EVENING, _NIGHT = (part.value for part in DayPart)


def vector(state: ListenerState) -> tuple[float, ...]:
    """One value per entry of `schema.STATE_FEATURES`, in its order; the defaults when no listen is known."""
    listens = state.listens
    count = len(listens.marks)
    if not count:
        return _DEFAULTS
    parts, mobile = _day_parts(state)
    morning, afternoon, evening, night = parts
    return (
        morning / count,
        afternoon / count,
        evening / count,
        night / count,
        mobile / count,
        listens.tracks / count,
    )


def _day_parts(state: ListenerState) -> tuple[list[int], int]:
    """Listens per `DayPart`, and listens on mobile."""
    marks = state.listens.marks
    # Spelt out: this runs for every listener of every batch.
    count = marks.count
    elsewhere = (count(_MORNING), count(_AFTERNOON), count(_EVENING), count(_NIGHT))
    on_mobile = (
        count(_MORNING | _MOBILE),
        count(_AFTERNOON | _MOBILE),
        count(_EVENING | _MOBILE),
        count(_NIGHT | _MOBILE),
    )
    parts = [here + there for here, there in zip(on_mobile, elsewhere, strict=True)]
    mobile = sum(on_mobile)
    if sum(parts) < len(marks):
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
