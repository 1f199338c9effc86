"""What is in the lake, as one document."""

from typing import Any, Final

from pyspark.sql import SparkSession
from pyspark.sql import functions as sql

from services.trainer.lake.files import LakeFiles
from services.trainer.lake.layout import DayView
from services.trainer.lake.reading import erasures, read_parts
from services.trainer.lake.tables import TABLES, Table

SMALL_FILE_BYTES: Final = 32 * 1024 * 1024


def lake_status(spark: SparkSession, files: LakeFiles, now_ms: int) -> dict[str, Any]:
    """By table: `days`, `oldest_day`, `newest_day`, `rows`, `files`, `small_files`, `bytes`, `batches` not yet compacted,
    `repeated` and `erased` rows that compaction left out, `newest_event_ms`, `lag_seconds` since it (null without rows)."""
    tables = {table.name: _table(spark, files, table, now_ms) for table in TABLES}
    return {"lake": files.url, "at_ms": now_ms, "erased_customers": erasures(spark, files).count(), "tables": tables}


def _table(spark: SparkSession, files: LakeFiles, table: Table, now_ms: int) -> dict[str, Any]:
    view = files.view(table)
    days = view.days
    parts = [view.day(day) for day in days]
    sizes = [size for part in parts for path in part.paths(files.table_path(table)) for size in _sizes(files, path)]
    rows, newest_ms = _pending(spark, files, table, parts)
    manifests = [view.manifests[day] for day in days if day in view.manifests]
    newest_ms = max([newest_ms, *(manifest.newest_ms for manifest in manifests)])
    return {
        "days": len(days),
        "oldest_day": days[0] if days else None,
        "newest_day": days[-1] if days else None,
        "rows": rows + sum(manifest.rows for manifest in manifests),
        "files": len(sizes),
        "small_files": sum(size < SMALL_FILE_BYTES for size in sizes),
        "bytes": sum(sizes),
        "batches": _batches(parts),
        "repeated": sum(manifest.repeated for manifest in manifests),
        "erased": sum(manifest.erased for manifest in manifests),
        "newest_event_ms": newest_ms or None,
        "lag_seconds": round((now_ms - newest_ms) / 1000, 1) if newest_ms else None,
    }


def _pending(spark: SparkSession, files: LakeFiles, table: Table, parts: list[DayView]) -> tuple[int, int]:
    """Rows that no compaction has counted, repetitions included, and the time of their newest event (0: none)."""
    pending = [DayView(part.day, "", part.batches) for part in parts if part.batches]
    if not pending:
        return 0, 0
    rows, newest_ms = read_parts(spark, files, table, pending).agg(sql.count("*"), sql.max("at_ms")).collect()[0]
    return int(rows), int(newest_ms or 0)


def _sizes(files: LakeFiles, directory: str) -> list[int]:
    return [size for _, size in files.glob(f"{directory}/*.parquet")]


def _batches(parts: list[DayView]) -> int:
    return len({batch for part in parts for batch in part.batches})
