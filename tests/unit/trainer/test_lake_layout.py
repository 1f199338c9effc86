"""What makes a day of the lake: the newest manifest's directory, and every complete batch that it does not list."""

import pytest

from services.trainer.lake.layout import (
    DayManifest,
    TableView,
    batch_name,
    batches_by_day,
    day_of,
    days_before,
    incoming_path,
)
from services.trainer.lake.reading import ALL_DAYS, Days

DAY = "2026-01-31"


def manifest(*batches: str, directory: str = "000002-ab", removed: bool = False) -> DayManifest:
    """The second compaction of the day."""
    return DayManifest(DAY, 2, directory, batches, 10, 1, 2, 5, "", 7, removed)


def test_a_day_without_a_manifest_is_its_batches() -> None:
    view = TableView(incoming={DAY: ("s-1", "s-2")})
    assert view.days == [DAY]
    assert view.day(DAY).paths("/l/listens") == [
        incoming_path("/l/listens", "s-1", DAY),
        incoming_path("/l/listens", "s-2", DAY),
    ]
    assert view.absorbed(DAY) == []


def test_what_a_manifest_lists_is_read_from_its_directory_alone() -> None:
    view = TableView({DAY: manifest("s-1")}, {DAY: ("s-1", "s-2")})
    assert view.day(DAY).paths("/l/listens") == [
        f"/l/listens/days/{DAY}/000002-ab",
        f"/l/listens/incoming/s-2/day={DAY}",
    ]
    assert view.absorbed(DAY) == ["s-1"]


def test_a_day_of_which_nothing_is_left_has_no_directory() -> None:
    view = TableView({DAY: manifest("s-1", directory="")}, {DAY: ("s-1",)})
    assert view.day(DAY).paths("/l/listens") == []
    assert view.days == [DAY]


def test_a_removed_day_stays_away_whatever_comes_late() -> None:
    view = TableView({DAY: manifest(directory="", removed=True)}, {DAY: ("s-9",)})
    assert view.days == []
    assert view.day(DAY).paths("/l/listens") == []
    assert view.absorbed(DAY) == ["s-9"]


def test_batches_count_once_they_are_complete() -> None:
    parts = [f"file:/l/listens/incoming/{batch}/day={DAY}" for batch in ("s-2", "s-1", "s-3")]
    assert batches_by_day(parts, ["s-1", "s-2", "t-1"]) == {DAY: ("s-1", "s-2")}
    assert batch_name("s", 12) == "s-00000012"


def test_a_manifest_survives_its_file_and_fields_of_the_future() -> None:
    text = manifest("s-1", "s-2").to_json()
    assert DayManifest.from_json(text) == manifest("s-1", "s-2")
    assert DayManifest.from_json(text.replace("{", '{"colour": "blue", ', 1)) == manifest("s-1", "s-2")


@pytest.mark.parametrize(
    ("days", "inside"),
    [(ALL_DAYS, True), (Days(DAY, DAY), True), (Days("2026-02-01"), False), (Days("", "2026-01-30"), False)],
)
def test_days_include_their_borders(days: Days, *, inside: bool) -> None:
    assert (DAY in days) is inside


def test_days_are_those_of_utc() -> None:
    midnight_ms = 1_769_817_600_000
    assert (day_of(midnight_ms - 1), day_of(midnight_ms)) == ("2026-01-30", DAY)
    assert days_before(midnight_ms, 31) == "2025-12-31"
