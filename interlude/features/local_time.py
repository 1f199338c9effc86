"""The part of the local day in which something happened."""

from bisect import bisect_right
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from interlude.features.state import DayPart

_MINUTE_MS: Final = 60_000
_DAY_MS: Final = 24 * 60 * _MINUTE_MS
_EPOCH: Final = date(1970, 1, 1)
_N, _M, _A, _E = DayPart.NIGHT, DayPart.MORNING, DayPart.AFTERNOON, DayPart.EVENING
_PART_OF_HOUR: Final[tuple[DayPart, ...]] = (_N,) * 5 + (_M,) * 7 + (_A,) * 5 + (_E,) * 5 + (_N,) * 2


def day_part(at_ms: int, utc_offset_minutes: int) -> DayPart:
    """The day part at `at_ms` (epoch ms) where local time is UTC plus `utc_offset_minutes`."""
    return _PART_OF_HOUR[(at_ms // _MINUTE_MS + utc_offset_minutes) // 60 % 24]


def day_part_in_zone(at_ms: int, time_zone: str) -> DayPart:
    """The day part at `at_ms` in an IANA time zone; an empty or unknown zone counts as UTC."""
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    return _PART_OF_HOUR[moment.astimezone(_zone(time_zone)).hour]


class LocalDay(NamedTuple):
    """A local day, epoch ms: from its midnight to the next, which is no longer in it."""

    begins_ms: int
    ends_ms: int


def local_day(at_ms: int, time_zone: str) -> LocalDay:
    """The day that it is at `at_ms` (epoch ms) in an IANA time zone; an empty or unknown zone counts as UTC."""
    midnights_ms = _midnights_ms(at_ms // _DAY_MS, time_zone)
    place = bisect_right(midnights_ms, at_ms)
    return LocalDay(midnights_ms[place - 1], midnights_ms[place])


@lru_cache(maxsize=4096)
def _midnights_ms(utc_day: int, time_zone: str) -> tuple[int, ...]:
    """When the local days begin of which a part lies in that day since 1970 in UTC, and the day after them."""
    day = _EPOCH + timedelta(days=utc_day)
    return tuple(_midnight_ms(day + timedelta(days=days), _zone(time_zone)) for days in (-1, 0, 1, 2))


def _midnight_ms(day: date, zone: tzinfo) -> int:
    # Where clocks are set at midnight it is there twice, or not at all: the day begins at the later of the two readings.
    readings = (datetime.combine(day, time(fold=fold), zone).timestamp() for fold in (0, 1))
    return round(max(readings) * 1000)


@lru_cache(maxsize=1024)
def _zone(name: str) -> tzinfo:
    if not name:
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC
