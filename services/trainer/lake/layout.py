"""Where files of the lake lie, and which of them make a day. Pure.

    <lake>/<table>/incoming/<stream>-<batch>/day=<day>/*.parquet   as the stream wrote them; the batch counts once it has _SUCCESS
    <lake>/<table>/days/<day>/<version>-<mark>/*.parquet           a day, compacted
    <lake>/<table>/manifests/<day>/<version>.json                  which directory is the day, and which batches are in it
    <lake>/checkpoints/<table>/                                    how far the stream has read Kafka

A day is the directory that its newest manifest names, and every complete batch that this manifest does not list. A manifest is
written once and never changed: the day changes in the one moment in which the next one appears.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

INCOMING: Final = "incoming"
DAYS: Final = "days"
MANIFESTS: Final = "manifests"
CHECKPOINTS: Final = "checkpoints"
COMPLETE: Final = "_SUCCESS"
"""Spark writes it when every file of a directory is in its place."""

_DAY_PREFIX: Final = "day="


@dataclass(frozen=True, slots=True)
class DayManifest:
    """What a compaction made of one day. `directory` is below the table's `days`; empty: the day has no rows (any more)."""

    day: str
    version: int
    directory: str
    batches: tuple[str, ...]
    """The batches that are in `directory`, and so count no more."""
    rows: int
    repeated: int
    """Rows left out because their event was there already; by this and all compactions before."""
    erased: int
    """Rows left out because their customer was erased; by this and all compactions before."""
    newest_ms: int
    """Time of the day's newest event; 0 without rows."""
    erasures: str
    """Fingerprint of the erasures that were obeyed."""
    written_at_ms: int
    removed: bool = False
    """The day is older than what is kept: late events do not bring it back."""

    def to_json(self) -> str:
        """The file's text."""
        return json.dumps(asdict(self), sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "DayManifest":
        """The manifest in that text; fields of later versions are passed over."""
        known: dict[str, Any] = {name: value for name, value in json.loads(text).items() if name in cls.__slots__}
        return cls(**{**known, "batches": tuple(known["batches"])})


@dataclass(frozen=True, slots=True)
class DayView:
    """The parts that a reader of one day reads: the compacted directory (empty: none) and the batches beside it."""

    day: str
    directory: str
    batches: tuple[str, ...]

    def paths(self, table_path: str) -> list[str]:
        """Directories to read, below the path of the table."""
        compacted = [f"{table_path}/{DAYS}/{self.day}/{self.directory}"] if self.directory else []
        return compacted + [incoming_path(table_path, batch, self.day) for batch in self.batches]


@dataclass(frozen=True, slots=True)
class TableView:
    """All that is there of one table: manifests and complete incoming batches, by day."""

    manifests: Mapping[str, DayManifest] = field(default_factory=dict)
    incoming: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def days(self) -> list[str]:
        """Every day that may have rows, oldest first."""
        gone = {day for day, manifest in self.manifests.items() if manifest.removed}
        return sorted({*self.manifests, *self.incoming} - gone)

    def day(self, day: str) -> DayView:
        """What makes that day."""
        manifest = self.manifests.get(day)
        if manifest is None:
            return DayView(day, "", self.incoming.get(day, ()))
        if manifest.removed:
            return DayView(day, "", ())
        pending = tuple(batch for batch in self.incoming.get(day, ()) if batch not in manifest.batches)
        return DayView(day, manifest.directory, pending)

    def absorbed(self, day: str) -> list[str]:
        """Batches of that day whose files nobody reads any more."""
        manifest = self.manifests.get(day)
        if manifest is None:
            return []
        return [batch for batch in self.incoming.get(day, ()) if manifest.removed or batch in manifest.batches]


def incoming_path(table_path: str, batch: str, day: str) -> str:
    """Where a batch has its rows of a day."""
    return f"{table_path}/{INCOMING}/{batch}/{_DAY_PREFIX}{day}"


def batch_name(stream: str, batch_id: int) -> str:
    """The directory of a batch: the same when a crash makes Spark repeat it."""
    return f"{stream}-{batch_id:08d}"


def batches_by_day(directories: Iterable[str], complete: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The complete batches of each day. `directories` are paths that end in <batch>/day=<day>."""
    known = set(complete)
    found: dict[str, list[str]] = {}
    for path in directories:
        batch, _, day = path.rpartition(f"/{_DAY_PREFIX}")
        batch = batch.rpartition("/")[2]
        if batch in known:
            found.setdefault(day, []).append(batch)
    return {day: tuple(sorted(batches)) for day, batches in found.items()}


def day_of(at_ms: int) -> str:
    """The UTC day of a moment, as in the names of directories."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).date().isoformat()


def days_before(now_ms: int, days: int) -> str:
    """The day that is `days` before today (UTC)."""
    return (date.fromisoformat(day_of(now_ms)) - timedelta(days=days)).isoformat()
