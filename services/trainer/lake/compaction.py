"""Compaction: closed days into few files, each event once, nothing of erased customers; days that are too old removed.

One compaction runs at a time. The new files of a day are complete before its next manifest names them, and what that manifest
made superfluous is removed by a later run, when no reader can be at it any more.
"""

import uuid
from dataclasses import dataclass, replace
from typing import Final

import structlog
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sql

from services.trainer.lake.files import LakeFiles
from services.trainer.lake.layout import DAYS, MANIFESTS, DayManifest, DayView, TableView, day_of, days_before
from services.trainer.lake.purging import purge
from services.trainer.lake.reading import distinct_events, erased_rows, erasures, read_parts, without_erased
from services.trainer.lake.tables import TABLES, Table

MEBIBYTE: Final = 1024 * 1024

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class CompactionRules:
    """`keep_days`: older days are removed. `grace_ms`: superseded files stay for readers this long. `open_days`: also today's."""

    keep_days: int
    grace_ms: int
    file_bytes: int
    open_days: bool = False


@dataclass(slots=True)
class TableReport:
    """What one run did to one table."""

    days_compacted: int = 0
    days_removed: int = 0
    rows: int = 0
    repeated: int = 0
    erased: int = 0
    files_removed: int = 0


class Compaction:
    """One run over all tables."""

    def __init__(self, spark: SparkSession, files: LakeFiles, rules: CompactionRules, now_ms: int) -> None:
        self._spark = spark
        self._files = files
        self._rules = rules
        self._now_ms = now_ms
        self._erased = erasures(spark, files).cache()
        self._fingerprint = fingerprint(self._erased)

    def run(self) -> dict[str, TableReport]:
        """Do what is due; the report by table."""
        return {table.name: self._run(table) for table in TABLES}

    def _run(self, table: Table) -> TableReport:
        report = TableReport()
        view = self._files.view(table)
        too_old = "" if table.keeps_all else days_before(self._now_ms, self._rules.keep_days)
        for day in [day for day in view.days if day < too_old]:
            self._publish(table, _removed(day, view.manifests.get(day), self._now_ms))
            report.days_removed += 1
        kept = [day for day in view.days if day >= too_old]
        touched = self._days_with_erased_rows(table, view, kept)
        for day in kept:
            if day in touched or (view.day(day).batches and self._is_due(day)):
                self._rewrite(table, view, day, report)
        report.files_removed = purge(self._files, table, self._files.view(table), self._now_ms - self._rules.grace_ms)
        log.info("table compacted", table=table.name, days=report.days_compacted, removed=report.days_removed)
        return report

    def _is_due(self, day: str) -> bool:
        return self._rules.open_days or day < day_of(self._now_ms)

    def _days_with_erased_rows(self, table: Table, view: TableView, days: list[str]) -> set[str]:
        """Days that hold rows of erased customers; only those are looked at that have not been for these erasures."""
        unchecked = [day for day in days if self._is_unchecked(view.manifests.get(day))]
        if not self._fingerprint or not unchecked:
            return set()
        rows = erased_rows(read_parts(self._spark, self._files, table, map(view.day, unchecked)), self._erased, table)
        found = rows.select(sql.date_format(sql.timestamp_millis("at_ms"), "yyyy-MM-dd").alias("day")).distinct()
        touched = {str(row["day"]) for row in found.collect()}
        for day in unchecked:
            manifest = view.manifests.get(day)
            if manifest is not None and day not in touched and not view.day(day).batches:
                self._publish(table, replace(manifest, version=manifest.version + 1, erasures=self._fingerprint))
        return touched

    def _is_unchecked(self, manifest: DayManifest | None) -> bool:
        return manifest is None or manifest.erasures != self._fingerprint

    def _rewrite(self, table: Table, view: TableView, day: str, report: TableReport) -> None:
        before = view.manifests.get(day)
        version = before.version + 1 if before else 1
        directory = f"{version:06d}-{uuid.uuid4().hex[:8]}"
        path = f"{self._files.table_path(table)}/{DAYS}/{day}/{directory}"
        part = view.day(day)
        read = read_parts(self._spark, self._files, table, [part])
        self._write(table, part, read, path)
        written = self._spark.read.schema(table.schema).parquet(path)
        rows, newest_ms = written.agg(sql.count("*"), sql.max("at_ms")).collect()[0]
        erased = distinct_events(erased_rows(read, self._erased, table)).count() if self._fingerprint else 0
        repeated = read.count() - rows - erased
        # What an earlier manifest lists has to stay listed as long as its files are there.
        known = set(before.batches if before else ()) & set(view.incoming.get(day, ()))
        manifest = DayManifest(
            day=day,
            version=version,
            directory=directory if rows else "",
            batches=tuple(sorted({*known, *part.batches})),
            rows=rows,
            repeated=(before.repeated if before else 0) + repeated,
            erased=(before.erased if before else 0) + erased,
            newest_ms=newest_ms or 0,
            erasures=self._fingerprint,
            written_at_ms=self._now_ms,
        )
        self._publish(table, manifest)
        report.days_compacted += 1
        report.rows += rows
        report.repeated += repeated
        report.erased += erased

    def _write(self, table: Table, part: DayView, read: DataFrame, path: str) -> None:
        """Write the day, each event once and without what was erased."""
        size = sum(bytes_ for one in part.paths(self._files.table_path(table)) for _, bytes_ in self._parquet(one))
        # By customer first: one shuffle serves the search for repetitions, the order, and whoever groups by customer later.
        dealt = read.repartition(max(1, -(-size // self._rules.file_bytes)), "customer_id")
        kept = without_erased(distinct_events(dealt), self._erased, table)
        kept.sortWithinPartitions("customer_id", "at_ms").write.mode("errorifexists").parquet(path)

    def _parquet(self, directory: str) -> list[tuple[str, int]]:
        return self._files.glob(f"{directory}/*.parquet")

    def _publish(self, table: Table, manifest: DayManifest) -> None:
        path = f"{self._files.table_path(table)}/{MANIFESTS}/{manifest.day}/{manifest.version:06d}.json"
        self._files.write_text(path, manifest.to_json())


def fingerprint(erased: DataFrame) -> str:
    """Tells one set of erasures from another; empty: nobody was erased."""
    mixed = erased.agg(sql.count("*"), sql.bit_xor(sql.xxhash64("customer_id", "erased_at_ms"))).collect()[0]
    return f"{mixed[0]}-{mixed[1] & (2**64 - 1):016x}" if mixed[0] else ""


def _removed(day: str, before: DayManifest | None, now_ms: int) -> DayManifest:
    version = before.version + 1 if before else 1
    return DayManifest(day, version, "", (), 0, 0, 0, 0, "", now_ms, removed=True)
