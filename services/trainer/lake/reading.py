"""Reading the lake: each event once, nothing of erased customers, whatever the stream and compaction are doing meanwhile."""

from collections.abc import Iterable
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as sql

from services.trainer.lake.files import LakeFiles
from services.trainer.lake.layout import DayView
from services.trainer.lake.tables import CUSTOMERS, Change, Table


@dataclass(frozen=True, slots=True)
class Days:
    """The UTC days from `since` to `until`, both included; empty: without that border."""

    since: str = ""
    until: str = ""

    def __contains__(self, day: object) -> bool:
        return isinstance(day, str) and self.since <= day and (not self.until or day <= self.until)


ALL_DAYS = Days()


def read_lake(
    spark: SparkSession, lake: str, table: Table, days: Days = ALL_DAYS, *, distinct: bool = True
) -> DataFrame:
    """The rows of `table` in these days of the lake at that URL, columns as in `table.schema`, in no order.

    A row that the log holds several times comes once; `distinct=False` leaves that to a caller who does so anyway. What an
    erasure covers does not come at all, from the moment on in which the lake has heard of it.
    """
    files = LakeFiles(spark, lake)
    view = files.view(table)
    parts = [view.day(day) for day in view.days if day in days]
    frame = read_parts(spark, files, table, parts)
    if distinct and any(part.batches for part in parts):
        frame = distinct_events(frame)
    return without_erased(frame, erasures(spark, files), table)


def stored_bytes(spark: SparkSession, lake: str, tables: Iterable[Table]) -> int:
    """The size of all files that `read_lake` would read of these tables."""
    files = LakeFiles(spark, lake)
    return sum(_stored(files, table) for table in tables)


def _stored(files: LakeFiles, table: Table) -> int:
    view = files.view(table)
    paths = [path for day in view.days for path in view.day(day).paths(files.table_path(table))]
    return sum(size for path in paths for _, size in files.glob(f"{path}/*.parquet"))


def read_parts(spark: SparkSession, files: LakeFiles, table: Table, parts: Iterable[DayView]) -> DataFrame:
    """The rows of these parts as they were written."""
    paths = [path for part in parts for path in part.paths(files.table_path(table))]
    if not paths:
        return spark.createDataFrame([], table.schema)
    # The schema is ours, not that of whichever file is read first: columns that a file does not have are null.
    return spark.read.schema(table.schema).option("recursiveFileLookup", "true").parquet(*paths)


def distinct_events(frame: DataFrame) -> DataFrame:
    """Of each event the one that came first in the log."""
    window = Window.partitionBy("customer_id", "event_id").orderBy("at_ms", "log_offset")
    return frame.withColumn("nth", sql.row_number().over(window)).where("nth = 1").drop("nth")


def erasures(spark: SparkSession, files: LakeFiles) -> DataFrame:
    """Who was erased, and up to when: `customer_id`, `erased_at_ms`."""
    view = files.view(CUSTOMERS)
    changes = read_parts(spark, files, CUSTOMERS, map(view.day, view.days))
    erased = changes.where(sql.col("change") == Change.ERASED.value)
    return erased.groupBy("customer_id").agg(sql.max("at_ms").alias("erased_at_ms"))


def without_erased(frame: DataFrame, erased: DataFrame, table: Table) -> DataFrame:
    """`frame` without the rows that an erasure covers; the erasures themselves stay."""
    covered = (frame["customer_id"] == erased["customer_id"]) & (frame["at_ms"] <= erased["erased_at_ms"])
    return frame.join(sql.broadcast(erased), covered & _erasable(frame, table), "left_anti")


def erased_rows(frame: DataFrame, erased: DataFrame, table: Table) -> DataFrame:
    """The rows that `without_erased` leaves out."""
    covered = (frame["customer_id"] == erased["customer_id"]) & (frame["at_ms"] <= erased["erased_at_ms"])
    return frame.join(sql.broadcast(erased), covered & _erasable(frame, table), "left_semi")


def _erasable(frame: DataFrame, table: Table) -> Column:
    return frame["change"] != Change.ERASED.value if table is CUSTOMERS else sql.lit(True)
