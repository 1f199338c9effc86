"""Rows of many customers from columns are the rows that folding makes, whatever happened and however it is cut into pieces."""

import random
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pytest

from bench.learning.proof import prove_rows
from interlude.features.state import AdEvent, AdEventKind, Level, Listen, Profile, hash_id
from services.trainer.history import CustomerEvents, LoggedAdEvent, Row, RowKind, RowRule, rows_of
from services.trainer.lake.tables import to_arrow_schema
from services.trainer.lake_history import CustomerRows
from services.trainer.lake_rows import EVENT_COLUMNS, chunks

BASE_MS = 1_700_000_000_000
HOUR_MS = 3_600_000
SCHEMA = to_arrow_schema(EVENT_COLUMNS.items())
RULES = [RowRule(kind, "upgrade", HOUR_MS) for kind in (RowKind.IMPRESSIONS, RowKind.CLICKS)]


def history(customer_id: int) -> tuple[list[dict[str, Any]], CustomerEvents]:
    """What happened to one customer, as the lake has it and as the log has it: more listens than are kept, events at the same
    instant, repetitions, a deleted profile, another campaign."""
    chance = random.Random(customer_id)
    rows: list[dict[str, Any]] = []
    events = CustomerEvents()
    for number in range(chance.choice([0, 5, 250])):
        at_ms, offset = BASE_MS + chance.randrange(40) * HOUR_MS // 4, chance.choice([None, -300, 90])
        listen = Listen(at_ms, hash_id(f"l-{number}"), chance.randrange(9), chance.random() < 0.5, offset)
        events.listens.append(listen)
        row = {"source": "listens", "event_id": f"l-{number}", "track_id": listen.track_id, "mobile": listen.mobile}
        rows += [{**row, "at_ms": at_ms, "utc_offset_minutes": offset}] * chance.randint(1, 2)
    for number in range(chance.randrange(6)):
        campaign, at_ms = chance.choice(["upgrade", "other"]), BASE_MS + chance.randrange(40) * HOUR_MS // 4
        for kind in (AdEventKind.IMPRESSION, AdEventKind.CLICK)[: chance.randint(1, 2)]:
            event = AdEvent(at_ms + kind * 1000, hash_id(f"a-{number}-{kind}"), hash_id(campaign), kind)
            events.ad_events.append(LoggedAdEvent(event, f"d-{number}"))
            about = {
                "source": "ad_events",
                "event_id": f"a-{number}-{kind}",
                "kind": kind.value,
                "decision_id": f"d-{number}",
            }
            rows.append({**about, "at_ms": event.at_ms, "campaign_id": campaign})
    for offset, zone in enumerate(chance.choice([(), ("America/Chicago",), ("Asia/Tokyo", None, "America/Denver")])):
        row = {"source": "customers", "event_id": f"{offset}", "at_ms": BASE_MS + offset, "log_offset": offset}
        if zone is None:
            events.profiles.clear()
            rows.append({**row, "change": "deleted"})
            continue
        profile = Profile(BASE_MS + offset, Level.FREE, True, True, False, 1, 1984, zone)
        events.profiles.append(profile)
        fields = {"level": 1, "active": True, "consent_player_offers": True, "consent_sms": False, "gender": 1}
        rows.append({**row, **fields, "change": "profile", "birth_year": 1984, "time_zone": zone})
    chance.shuffle(rows)
    return [{**row, "customer_id": customer_id} for row in rows], events


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.kind.value)
@pytest.mark.parametrize("rows_together", [1, 100, 100_000])
def test_rows_are_those_of_folding(rule: RowRule, rows_together: int) -> None:
    customers = {customer_id: history(customer_id) for customer_id in range(60)}
    rows = [row for lake_rows, _ in customers.values() for row in lake_rows]
    batches = pa.Table.from_pylist(rows, schema=SCHEMA).to_batches(max_chunksize=17)
    got: list[tuple[int, Row | None]] = []
    for table in chunks(iter(batches), rows_together):
        got += CustomerRows(table, rule)
    expected = [(customer_id, row) for customer_id, (_, events) in customers.items() for row in rows_of(events, rule)]
    assert sorted(got, key=repr) == sorted(expected, key=repr)
    assert len(expected) > 60


def test_a_drawn_lake_gives_what_folding_gives() -> None:
    assert prove_rows(listeners=300, seed=3) > 300


def test_no_events_no_rows() -> None:
    assert list(chunks(iter([]))) == []
    assert list(CustomerRows(SCHEMA.empty_table(), RULES[0])) == []
