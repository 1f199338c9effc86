"""What `lake run` measures; compaction is a command that ends with a report."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class LakeMetrics:
    """One instance per process; nothing is registered globally."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.rows = Counter(
            "interlude_trainer_lake_rows_total",
            "Rows written to the lake by table. When it stands still while Kafka receives: read the log of `lake run`.",
            ["table"],
            registry=self.registry,
        )
        self.skipped = Counter(
            "interlude_trainer_lake_skipped_total",
            "Records that made no row, by table and reason: size, parse, validate. When it rises: the enricher has the same "
            "records in <topic>.enricher.dlq, with what is wrong.",
            ["table", "reason"],
            registry=self.registry,
        )
        self.newest = Gauge(
            "interlude_trainer_lake_newest_event_seconds",
            "Time of the newest event in the lake, seconds since 1970, by table. When it falls behind: compare with "
            "interlude_trainer_lake_offsets_behind.",
            ["table"],
            registry=self.registry,
        )
        self.behind = Gauge(
            "interlude_trainer_lake_offsets_behind",
            "Records by which the partition that is furthest behind lags, by table, as of the last batch. When it grows: raise "
            "TRAINER_LAKE_BATCH_RECORDS, or give the pod more cores.",
            ["table"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "interlude_trainer_lake_batch_seconds",
            "Time to decode and write one batch, by table. When it nears TRAINER_LAKE_TRIGGER_SECONDS: the stream is at its limit.",
            ["table"],
            buckets=(0.2, 0.5, 1, 2, 5, 10, 30, 60, 300),
            registry=self.registry,
        )

    def batch(self, table: str, rows: int, skipped: Mapping[str, int], newest_ms: int | None, seconds: float) -> None:
        """One batch was written."""
        self.rows.labels(table).inc(rows)
        for reason, count in skipped.items():
            self.skipped.labels(table, reason).inc(count)
        if newest_ms is not None:
            self.newest.labels(table).set(newest_ms / 1000)
        self.seconds.labels(table).observe(seconds)
