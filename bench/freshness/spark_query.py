"""The enricher's query in Spark Structured Streaming, in a process of its own: from `listens` to features in the same Redis.

Decoding, folding and encoding are the enricher's own functions, so that the values can be compared byte for byte; what differs
is who feeds them. `Way` says in which ways it is tried.

    python -m bench.freshness.spark_query SETTINGS.json
"""

import json
import os
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from bench.freshness.reports import write_report
from bench.freshness.spark_steps import (
    STATE,
    STATEFUL_ROWS,
    FoldWithState,
    WriteStateless,
    WriteStatelessRow,
    write_rows,
)
from bench.freshness.spark_ways import Way
from interlude.events.topics import Topic
from interlude.servicekit.lifecycle import stop_on_signals

_POLL_SECONDS: Final = 0.1
_SMALLEST_TRIGGER: Final = "0 seconds"
_REAL_TIME_BATCH: Final = "5 seconds"
"""The shortest that Spark takes."""


@dataclass(frozen=True, slots=True)
class SparkSettings:
    """What one run is told. `ends_ms` is when the histories of `bench.freshness.listeners` end."""

    way: str
    kafka: str
    redis: str
    key_prefix: str
    ends_ms: int
    jars: str
    java_options: str
    threads: int
    checkpoints: str
    report: str


def spark_session(settings: SparkSettings) -> SparkSession:
    """Set up for the shortest latency: no waiting for locality, no empty batches, no checksums of what is checkpointed."""
    # pyspark 4.2 warns of pandas 3.
    warnings.filterwarnings("ignore", message="PySpark does not yet fully support pandas", category=FutureWarning)
    options = {
        "spark.jars": settings.jars,
        "spark.driver.extraJavaOptions": settings.java_options,
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.locality.wait": "0",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.streaming.noDataMicroBatches.enabled": "false",
        "spark.sql.streaming.realTimeMode.minBatchDuration": _REAL_TIME_BATCH.replace(" seconds", "s"),
        "spark.sql.streaming.checkpoint.fileChecksum.enabled": "false",
    }
    builder = SparkSession.builder.master(f"local[{settings.threads}]").appName("bench-freshness")
    for name, value in options.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def start_query(spark: SparkSession, settings: SparkSettings) -> StreamingQuery:
    """Start the query in the way that the settings name."""
    records = (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", settings.kafka)
        .option("subscribe", Topic.LISTENS.value)
        .option("startingOffsets", "latest")
        .load()
        .select("key", "value")
    )
    match Way(settings.way):
        case Way.STATEFUL:
            return _start_stateful(records, settings)
        case Way.STATELESS:
            return _start_stateless(records, settings)
        case Way.REAL_TIME:
            return _start_real_time(records, settings)


def _start_stateful(records: DataFrame, settings: SparkSettings) -> StreamingQuery:
    folded = records.groupBy("key").applyInPandasWithState(
        FoldWithState(settings.ends_ms), STATEFUL_ROWS, STATE, "update", "NoTimeout"
    )

    def write(batch: DataFrame, _number: int) -> None:
        write_rows(settings.redis, settings.key_prefix, batch.toArrow())

    return (
        folded.writeStream.outputMode("update")
        .foreachBatch(write)
        .trigger(processingTime=_SMALLEST_TRIGGER)
        .option("checkpointLocation", settings.checkpoints)
        .start()
    )


def _start_stateless(records: DataFrame, settings: SparkSettings) -> StreamingQuery:
    written = records.mapInArrow(WriteStateless(settings.redis, settings.key_prefix), "written long")
    return (
        written.writeStream.format("noop")
        .trigger(processingTime=_SMALLEST_TRIGGER)
        .option("checkpointLocation", settings.checkpoints)
        .start()
    )


def _start_real_time(records: DataFrame, settings: SparkSettings) -> StreamingQuery:
    # pyspark's own types do not know of `realTime` yet.
    writer: Any = records.writeStream.outputMode("update").foreach(
        WriteStatelessRow(settings.redis, settings.key_prefix)
    )
    query: StreamingQuery = (
        writer.trigger(realTime=_REAL_TIME_BATCH).option("checkpointLocation", settings.checkpoints).start()
    )
    return query


def main() -> None:
    """Runs the query until SIGTERM; reports the reason if Spark refuses it."""
    settings = SparkSettings(**json.loads(Path(sys.argv[1]).read_text()))
    stop = stop_on_signals()
    spark = spark_session(settings)
    try:
        query = start_query(spark, settings)
        while not stop.is_set() and query.isActive:
            stop.wait(_POLL_SECONDS)
        if error := query.exception():
            raise error
    except PySparkException as error:
        write_report(Path(settings.report), {"refused": str(error).splitlines()[0]})
    finally:
        # What is not written yet nobody waits for; `spark.stop()` would.
        os._exit(0)


if __name__ == "__main__":
    main()
