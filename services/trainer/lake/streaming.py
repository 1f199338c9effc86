"""Kafka into the lake: one structured stream a table, each batch a directory that is complete or does not count.

A batch that a crash makes Spark repeat has the same offsets and the same name: where its directory is complete, nothing is
written again, and where it is not, it is replaced. Should a row come twice all the same (a producer's repetition, a lost
checkpoint), readers and compaction keep one.
"""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as sql
from pyspark.sql.streaming.query import StreamingQuery

from interlude.events.errors import Stage
from services.trainer.lake.decoding import SKIPPED, KafkaRecord, decode, decoded_schema
from services.trainer.lake.files import LakeFiles
from services.trainer.lake.layout import COMPLETE, INCOMING, batch_name
from services.trainer.lake.tables import TABLES, Table
from services.trainer.metrics import LakeMetrics

_POLL_SECONDS: Final = 0.5
_ERROR_LENGTH: Final = 4000
STREAM_FILE: Final = "stream"
"""Names the stream in the names of its batches. It goes with the checkpoint: a new one must not take the old one's names."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """Where from, and how much at once: a batch every `trigger_seconds`, or (`once`) what there is now and then the end."""

    bootstrap: str
    trigger_seconds: float
    max_records: int
    once: bool


class LakeStreams:
    """The streams of all tables on one session."""

    def __init__(self, spark: SparkSession, files: LakeFiles, plan: StreamPlan, metrics: LakeMetrics) -> None:
        self._spark = spark
        self._files = files
        self._plan = plan
        self._metrics = metrics
        self._queries: list[StreamingQuery] = []

    def start(self) -> None:
        """Begin, each where its checkpoint says, or at the oldest record."""
        self._queries = [self._start(table) for table in TABLES]

    def poll(self) -> bool:
        """Whether any stream still runs; raises what ended one."""
        for query, table in zip(self._queries, TABLES, strict=True):
            if (error := query.exception()) is not None:
                # What it is about stands at the end of what Spark says, behind stacks of two languages.
                log.error("stream ended", table=table.name, error=str(error)[-_ERROR_LENGTH:])
                raise error
        for query, table in zip(self._queries, TABLES, strict=True):
            self._report_lag(query, table)
        return any(query.isActive for query in self._queries)

    def stop(self) -> None:
        """End all of them, in the middle of a batch if need be: it is repeated."""
        for query in self._queries:
            query.stop()

    def _start(self, table: Table) -> StreamingQuery:
        checkpoint = self._files.checkpoint_path(table)
        write = partial(self._write, table, self._stream_name(checkpoint))
        writer = (
            self._records(table)
            .writeStream.queryName(table.name)
            .foreachBatch(write)
            .option("checkpointLocation", f"{checkpoint}/spark")
        )
        every = f"{self._plan.trigger_seconds} seconds"
        timed = writer.trigger(availableNow=True) if self._plan.once else writer.trigger(processingTime=every)
        return timed.start()

    def _records(self, table: Table) -> DataFrame:
        """The topic as `KafkaRecord`s. Records that Kafka removed unread end the stream instead of passing unnoticed."""
        frame = (
            self._spark.readStream.format("kafka")
            .option("kafka.bootstrap.servers", self._plan.bootstrap)
            .option("subscribe", table.topic.value)
            .option("startingOffsets", "earliest")
            .option("includeHeaders", "true")
            .option("maxOffsetsPerTrigger", str(self._plan.max_records))
            .option("failOnDataLoss", "true")
            .load()
        )
        named = "filter(headers, header -> lower(header.key) = 'content-type')"
        content_type = sql.expr(f"coalesce(decode(get({named}, 0).value, 'UTF-8'), '')").alias("content_type")
        timestamp = sql.unix_millis("timestamp").alias("timestamp_ms")
        return frame.select("key", "value", content_type, "partition", "offset", timestamp).select(*KafkaRecord._fields)

    def _stream_name(self, checkpoint: str) -> str:
        path = f"{checkpoint}/{STREAM_FILE}"
        if not self._files.exists(path):
            self._files.write_text(path, uuid.uuid4().hex[:12])
        return self._files.read_text(path)

    def _write(self, table: Table, stream: str, frame: DataFrame, batch_id: int) -> None:
        path = f"{self._files.table_path(table)}/{INCOMING}/{batch_name(stream, batch_id)}"
        if self._files.exists(f"{path}/{COMPLETE}"):
            return
        begin = time.perf_counter()
        rows = frame.mapInArrow(partial(decode, table=table), decoded_schema(table)).persist()
        try:
            # Not observed on the way: where no row is left, Spark plans the observation away with everything else.
            counts = rows.agg(*_counts()).collect()[0].asDict()
            if counts["rows"]:
                day = sql.date_format(sql.timestamp_millis("at_ms"), "yyyy-MM-dd").alias("day")
                kept = rows.where(sql.col(SKIPPED).isNull()).drop(SKIPPED).select("*", day)
                # One file a day and batch: without this, one for each of Kafka's partitions.
                kept.repartition("day").write.mode("overwrite").partitionBy("day").parquet(path)
        finally:
            rows.unpersist()
        self._tell(table, batch_id, counts, time.perf_counter() - begin)

    def _tell(self, table: Table, batch_id: int, counts: dict[str, int | None], seconds: float) -> None:
        skipped = {stage.value: counts[stage.value] or 0 for stage in Stage}
        rows = counts["rows"] or 0
        self._metrics.batch(table.name, rows, skipped, counts["newest_ms"], seconds)
        log.info(
            "batch written", table=table.name, batch=batch_id, rows=rows, skipped=skipped, seconds=round(seconds, 2)
        )

    def _report_lag(self, query: StreamingQuery, table: Table) -> None:
        progress = query.lastProgress
        for source in progress.sources if progress else ():
            behind = (source.metrics or {}).get("maxOffsetsBehindLatest")
            if behind is not None:
                self._metrics.behind.labels(table.name).set(float(behind))


def run(streams: LakeStreams, wait: Callable[[float], bool], beat: Callable[[], None]) -> None:
    """Until the streams have ended, or `wait` (for so many seconds) says that it is time to. Raises what ended a stream."""
    streams.start()
    try:
        while streams.poll() and not wait(_POLL_SECONDS):
            beat()
    finally:
        streams.stop()


def _counts() -> list[Column]:
    reasons = [sql.count_if(sql.col(SKIPPED) == stage.value).alias(stage.value) for stage in Stage]
    return [sql.count_if(sql.col(SKIPPED).isNull()).alias("rows"), sql.max("at_ms").alias("newest_ms"), *reasons]
