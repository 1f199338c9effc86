"""The local day: where clocks are set at midnight, and where a day is missing."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlude.features.local_time import local_day

# Havana falls back at 1:00 to 0:00, Beirut and Santiago set clocks at midnight, Apia left out a day.
ZONES = [
    "UTC",
    "America/Havana",
    "Asia/Beirut",
    "America/Santiago",
    "Pacific/Apia",
    "Asia/Kolkata",
    "Pacific/Kiritimati",
]
HOUR_MS = 3_600_000


@given(st.sampled_from(ZONES), st.integers(600_000, 4_800_000), st.integers(0, HOUR_MS - 1))
def test_a_day_has_one_date_and_its_neighbours_have_others(zone: str, hours: int, rest_ms: int) -> None:
    at_ms = hours // 10 * HOUR_MS + rest_ms
    begins_ms, ends_ms = local_day(at_ms, zone)
    assert begins_ms <= at_ms < ends_ms

    def date_at(moment_ms: int) -> str:
        return datetime.fromtimestamp(moment_ms / 1000, UTC).astimezone(ZoneInfo(zone)).date().isoformat()

    assert date_at(begins_ms) == date_at(at_ms) == date_at(ends_ms - 1000)
    assert date_at(begins_ms - 1000) < date_at(at_ms) < date_at(ends_ms)


def test_the_day_that_apia_left_out_belongs_to_no_day() -> None:
    last_ms = round(datetime(2011, 12, 30, 9, 59, 59, tzinfo=UTC).timestamp() * 1000)
    first, second = local_day(last_ms, "Pacific/Apia"), local_day(last_ms + 1000, "Pacific/Apia")
    assert first.ends_ms == second.begins_ms == last_ms + 1000


@pytest.mark.parametrize("zone", ["", "Nowhere/Land"])
def test_without_a_zone_it_is_utc(zone: str) -> None:
    assert local_day(86_400_000, zone) == (86_400_000, 2 * 86_400_000)
