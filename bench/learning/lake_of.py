"""Writes a lake of any size at once, without Kafka: the population of `demo.listeners`, drawn by numpy a million listens at a time.

It lies there as the stream would have written it: one complete batch a table. Listeners have the habits of the demo's four types
without their spread, and click by the demo's formula.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from demo.listeners import CENTRE, STEEPNESS, TIME_ZONES, TYPES, WEIGHTS
from interlude.features.state import AdEventKind, Level
from services.trainer.lake.layout import COMPLETE, INCOMING, batch_name, day_of, incoming_path
from services.trainer.lake.tables import AD_EVENTS, CUSTOMERS, LISTENS, Change, Table

CAMPAIGN: Final = "premium-day"
UNTIL_MS: Final = 1_760_000_400_000
DAYS: Final = 28
LISTENS_EACH: Final = 30
IMPRESSIONS_EACH: Final = 2
REACHED_SHARE: Final = 0.74
"""Listeners whom the campaign may reach."""

_DAY_MS: Final = 86_400_000
_HOUR_MS: Final = 3_600_000
_FIRST_HOUR: Final = np.array([5, 12, 17, 22])
_HOURS: Final = np.array([7, 5, 5, 7])
_OFFSET_MINUTES: Final = -300
_NO_LOCAL_TIME_SHARE: Final = 0.1
_BLOCK: Final = 50_000
"""Listeners drawn together."""

Numbers = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Block:
    """Some listeners: their ids, and habits of shape (listeners, 6)."""

    customer_ids: Numbers
    habits: Numbers

    @property
    def count(self) -> int:
        """How many they are."""
        return len(self.customer_ids)


def write_lake(directory: Path, listens: int, seed: int) -> int:
    """A lake with so many listens in an empty directory; returns how many listeners it has."""
    listeners = -(-listens // LISTENS_EACH)
    for number, begin in enumerate(range(0, listeners, _BLOCK)):
        chance = np.random.default_rng((seed, number))
        block = _draw(chance, np.arange(begin, min(listeners, begin + _BLOCK)))
        for table, rows in ((LISTENS, _listens), (AD_EVENTS, _ad_events), (CUSTOMERS, _profiles)):
            _write(directory, table, number, rows(chance, block))
    return listeners


def _write(directory: Path, table: Table, number: int, columns: dict[str, Numbers]) -> None:
    rows = len(columns["customer_id"])
    columns |= {"log_partition": np.zeros(rows, np.int32), "log_offset": np.arange(rows)}
    whole = pa.table({name: columns[name] for name, _ in table.all_columns}, schema=table.arrow_schema)
    batch = batch_name("drawn", number)
    days = columns["at_ms"] // _DAY_MS
    for day in np.unique(days):
        path = Path(incoming_path(str(directory / table.name), batch, day_of(int(day) * _DAY_MS)))
        path.mkdir(parents=True)
        pq.write_table(whole.filter(pa.array(days == day)), path / "part-0.parquet")
    (directory / table.name / INCOMING / batch / COMPLETE).touch()


def _draw(chance: np.random.Generator, customer_ids: Numbers) -> Block:
    kinds = chance.choice(len(TYPES), len(customer_ids), p=[kind.share for kind in TYPES])
    return Block(customer_ids, np.array([kind.habits for kind in TYPES])[kinds])


def _listens(chance: np.random.Generator, block: Block) -> dict[str, Numbers]:
    rows = block.count * LISTENS_EACH
    person = np.repeat(np.arange(block.count), LISTENS_EACH)
    habits = block.habits[person]
    part = (chance.random(rows)[:, None] > np.cumsum(habits[:, :4], axis=1)[:, :3]).sum(axis=1)
    day = chance.integers(1, DAYS, rows)
    within_ms = (_FIRST_HOUR[part] + chance.random(rows) * _HOURS[part]) * _HOUR_MS
    midnight_ms = UNTIL_MS // _DAY_MS * _DAY_MS - day * _DAY_MS - _OFFSET_MINUTES * 60_000
    new = chance.random(rows) < habits[:, 5]
    track = np.where(new, chance.integers(4, 5_000_000, rows), chance.integers(0, 4, rows))
    known = chance.random(rows) >= _NO_LOCAL_TIME_SHARE
    return {
        "customer_id": block.customer_ids[person],
        "event_id": _ids("l", block.customer_ids[person], np.tile(np.arange(LISTENS_EACH), block.count)),
        "at_ms": (midnight_ms + within_ms).astype(np.int64),
        "track_id": track,
        "mobile": chance.random(rows) < habits[:, 4],
        "utc_offset_minutes": pa.array(np.full(rows, _OFFSET_MINUTES, np.int32), mask=~known),
    }


def _ad_events(chance: np.random.Generator, block: Block) -> dict[str, Numbers]:
    reached = np.flatnonzero(chance.random(block.count) < REACHED_SHARE)
    person = np.repeat(reached, IMPRESSIONS_EACH)
    number = np.tile(np.arange(IMPRESSIONS_EACH), len(reached))
    at_ms = UNTIL_MS - chance.integers(_DAY_MS, DAYS * _DAY_MS // 3, len(person))
    score = block.habits[person] @ np.array(WEIGHTS)
    clicked = chance.random(len(person)) < 1 / (1 + np.exp(-STEEPNESS * (score - CENTRE)))
    decisions = _ids("d", block.customer_ids[person], number)

    def event(kind: AdEventKind, rows: Numbers, later_ms: int) -> dict[str, Numbers]:
        return {
            "customer_id": block.customer_ids[person[rows]],
            "event_id": np.char.add(decisions[rows], f"/{kind.name}"),
            "at_ms": at_ms[rows] + later_ms,
            "kind": np.full(rows.sum(), kind.value, np.int32),
            "decision_id": decisions[rows],
            "campaign_id": np.full(rows.sum(), CAMPAIGN),
            "channel": np.ones(rows.sum(), np.int32),
        }

    impressions = event(AdEventKind.IMPRESSION, np.ones(len(person), np.bool_), 0)
    clicks = event(AdEventKind.CLICK, clicked, 60_000)
    return {name: np.concatenate((impressions[name], clicks[name])) for name in impressions}


def _profiles(chance: np.random.Generator, block: Block) -> dict[str, Numbers]:
    def same(value: int | bool, kind: type) -> Numbers:
        return np.full(block.count, value, kind)

    return {
        "customer_id": block.customer_ids,
        "event_id": _ids("p", block.customer_ids, same(0, np.int64)),
        "at_ms": same(UNTIL_MS - (DAYS + 2) * _DAY_MS, np.int64),
        "change": np.full(block.count, Change.PROFILE.value),
        "level": same(Level.FREE.value, np.int32),
        "active": same(True, np.bool_),
        "consent_player_offers": same(True, np.bool_),
        "consent_sms": same(True, np.bool_),
        "gender": chance.integers(0, 4, block.count).astype(np.int32),
        "birth_year": chance.integers(1950, 2008, block.count).astype(np.int32),
        "time_zone": chance.choice(np.array(TIME_ZONES), block.count),
    }


def _ids(kind: str, customer_ids: Numbers, numbers: Numbers) -> Numbers:
    beginnings: Numbers = np.char.add(f"{kind}-", customer_ids.astype(str))
    ends: Numbers = np.char.add("-", numbers.astype(str))
    return np.char.add(beginnings, ends)
