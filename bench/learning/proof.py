"""Rows from columns against rows by folding, listener by listener, on a drawn lake and without Spark."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa  # type: ignore[import-untyped]
from pyarrow import dataset

from bench.learning.lake_of import CAMPAIGN, LISTENS_EACH, write_lake
from interlude.features.state import AdEvent, AdEventKind, Level, Listen, Profile, hash_id
from services.trainer.history import CustomerEvents, LoggedAdEvent, Row, RowKind, RowRule, final_state, rows_of
from services.trainer.lake.tables import AD_EVENTS, CUSTOMERS, LISTENS, Change, Table, to_arrow_schema
from services.trainer.lake_history import CustomerRows, listen_columns
from services.trainer.lake_rows import EVENT_COLUMNS, chunks

RULE: Final = RowRule(RowKind.IMPRESSIONS, CAMPAIGN, 86_400_000)
_FOREVER_MS: Final = 2**62


class Unequal(Exception):
    """Columns and folding differ; the message names the listener."""


def prove_rows(listeners: int, seed: int) -> int:
    """Compare the rows of so many listeners, and what is kept of each at the end; returns how many rows there were. Raises
    `Unequal`."""
    with tempfile.TemporaryDirectory() as directory:
        write_lake(Path(directory), listeners * LISTENS_EACH, seed)
        events = pa.concat_tables(_events(Path(directory), table) for table in (LISTENS, AD_EVENTS, CUSTOMERS))
    return sum(_compare(table) for table in chunks(iter(events.sort_by("customer_id").to_batches())))


def _compare(table: pa.Table) -> int:
    by_columns: dict[int, list[Row | None]] = {}
    for customer_id, row in CustomerRows(table, RULE):
        by_columns.setdefault(customer_id, []).append(row)
    kept = listen_columns(table.filter(dataset.field("source") == LISTENS.name))
    compared = 0
    for customer_id, events in _customers(table):
        expected = list(rows_of(events, RULE))
        if by_columns.get(customer_id, []) != expected:
            raise Unequal(f"rows of listener {customer_id}")
        if kept.before(_FOREVER_MS, *kept.of(customer_id)) != final_state(events).listens:
            raise Unequal(f"kept listens of listener {customer_id}")
        compared += len(expected)
    return compared


def _customers(table: pa.Table) -> Iterator[tuple[int, CustomerEvents]]:
    customers: dict[int, CustomerEvents] = {}
    for row in table.to_pylist():
        _take(customers.setdefault(row["customer_id"], CustomerEvents()), row)
    yield from customers.items()


def _take(events: CustomerEvents, row: dict[str, Any]) -> None:
    if row["source"] == LISTENS.name:
        listen = Listen(
            row["at_ms"], hash_id(row["event_id"]), row["track_id"], row["mobile"], row["utc_offset_minutes"]
        )
        events.listens.append(listen)
    elif row["source"] == AD_EVENTS.name:
        kind = AdEventKind(row["kind"])
        event = AdEvent(row["at_ms"], hash_id(row["event_id"]), hash_id(row["campaign_id"]), kind)
        events.ad_events.append(LoggedAdEvent(event, row["decision_id"]))
    elif row["change"] == Change.PROFILE.value:
        flags = (row["active"], row["consent_player_offers"], row["consent_sms"])
        about = (row["gender"], row["birth_year"], row["time_zone"])
        events.profiles.append(Profile(row["at_ms"], Level(row["level"]), *flags, *about))


def _events(lake: Path, table: Table) -> pa.Table:
    """The table's events as `EVENT_COLUMNS`."""
    files = [str(path) for path in (lake / table.name).rglob("*.parquet")]
    read = dataset.dataset(files, schema=table.arrow_schema).to_table()
    schema = to_arrow_schema(EVENT_COLUMNS.items())
    columns = {
        name: read[name] if name in read.column_names else pa.nulls(len(read), schema.field(name).type)
        for name in schema.names
    }
    return pa.table({**columns, "source": pa.array([table.name] * len(read))}, schema=schema)
