"""Records to rows: every field in its column, no personal data, and a bad record is a reason, not an error."""

import time
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pytest

from interlude.events.errors import Stage
from interlude.v1 import events_pb2
from services.trainer.lake.decoding import SKIPPED, KafkaRecord, decode, row_or_reason
from services.trainer.lake.tables import CUSTOMERS, DECISIONS, LISTENS, TABLES, Table
from tests.integration.lake_scene import NOON_MS, decision, listen, profile

NOW_MS = NOON_MS + 10 * 86_400_000


def record(value: bytes | None, key: bytes = b"3", content_type: str = "") -> KafkaRecord:
    """A record at partition 1, offset 42."""
    return KafkaRecord(key, value, content_type, 1, 42, NOON_MS)


def row_of(table: Table, taken: KafkaRecord) -> dict[str, Any]:
    """The row by column. Fails where there is none."""
    row = row_or_reason(table, taken, NOW_MS)
    assert not isinstance(row, Stage)
    return dict(zip([name for name, _ in table.all_columns], row, strict=True))


def test_a_listen() -> None:
    row = row_of(LISTENS, record(listen(3, 4).SerializeToString()))
    assert row == {
        "customer_id": 3,
        "event_id": "l-3-4",
        "at_ms": listen(3, 4).played_at_ms,
        "track_id": 4,
        "mobile": False,
        "utc_offset_minutes": -360,
        "log_partition": 1,
        "log_offset": 42,
    }
    assert row_of(LISTENS, record(listen(3, 5).SerializeToString()))["utc_offset_minutes"] is None


def test_json_is_read_as_well() -> None:
    text = (
        b'{"eventId": "j", "customerId": "3", "trackId": "1", "playedAtMs": "1700000000000", "device": "DEVICE_MOBILE"}'
    )
    assert row_of(LISTENS, record(text))["mobile"] is True


def test_a_profile_comes_without_what_identifies_a_person() -> None:
    row = row_of(CUSTOMERS, record(profile(3).SerializeToString()))
    assert (row["change"], row["birth_year"], row["time_zone"]) == ("profile", 1984, "America/Chicago")
    assert not {"+15550100", "Ada Brook", "9 Fox Hill"} & set(map(str, row.values()))


def test_erasures_and_deletions_are_rows_of_their_own() -> None:
    erasure = events_pb2.Customer(customer_id=3, erased_at_ms=NOON_MS + 1)
    erased = row_of(CUSTOMERS, record(erasure.SerializeToString()))
    assert (erased["change"], erased["at_ms"], erased["level"]) == ("erased", NOON_MS + 1, None)
    deleted = row_of(CUSTOMERS, record(None))
    assert (deleted["change"], deleted["customer_id"], deleted["at_ms"]) == ("deleted", 3, NOON_MS)


def test_a_decision_without_readable_listener_dates_its_features_by_their_age() -> None:
    row = row_of(DECISIONS, record(decision(3, 1, shown=True, at_ms=NOON_MS).SerializeToString()))
    assert (row["shown"], row["newest_listen_ms"], row["features"][-1]) == (True, NOON_MS - 60_000, 1.0)


@pytest.mark.parametrize("table", TABLES)
def test_a_bad_record_has_a_reason(table: Table) -> None:
    assert row_or_reason(table, record(b"\xff\xff"), NOW_MS) is Stage.PARSE
    assert row_or_reason(table, record(b"x" * 70_000), NOW_MS) is Stage.SIZE
    assert row_or_reason(table, record(b"{}"), NOW_MS) is Stage.VALIDATE


def test_batches_keep_going_over_bad_records() -> None:
    values = [b"\xff\xff", listen(3, 4).SerializeToString()]
    columns = [[b"3", b"3"], values, ["", ""], [0, 0], [7, 8], [NOON_MS, NOON_MS]]
    batch = pa.RecordBatch.from_pydict(dict(zip(KafkaRecord._fields, columns, strict=True)))
    (decoded,) = decode(iter([batch]), LISTENS)
    assert decoded.column(SKIPPED).to_pylist() == ["parse", None]
    assert decoded.column("event_id").to_pylist() == [None, "l-3-4"]
    assert decoded.column("at_ms").to_pylist()[1] < time.time_ns() // 1_000_000
