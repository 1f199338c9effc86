"""The part of the local day in which something happened."""

from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from interlude.features.state import DayPart

_MINUTE_MS: Final = 60_000
_N, _M, _A, _E = DayPart.NIGHT, DayPart.MORNING, DayPart.AFTERNOON, DayPart.EVENING
_PART_OF_HOUR: Final[tuple[DayPart, ...]] = (_N,) * 5 + (_M,) * 7 + (_A,) * 5 + (_E,) * 5 + (_N,) * 2


def day_part(at_ms: int, utc_offset_minutes: int) -> DayPart:
    """The day part at `at_ms` (epoch ms) where local time is UTC plus `utc_offset_minutes`."""
    return _PART_OF_HOUR[(at_ms // _MINUTE_MS + utc_offset_minutes) // 60 % 24]


def day_part_in_zone(at_ms: int, time_zone: str) -> DayPart:
    """The day part at `at_ms` in an IANA time zone; an empty or unknown zone counts as UTC."""
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    return _PART_OF_HOUR[moment.astimezone(_zone(time_zone)).hour]


@lru_cache(maxsize=1024)
def _zone(name: str) -> tzinfo:
    if not name:
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC
