"""Everything the enricher measures."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class EnricherMetrics:
    """One instance per process; nothing is registered globally."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.events = Counter(
            "interlude_enricher_events_total",
            "Events by topic and outcome: applied (the state includes it), duplicate (it did already), dead_lettered. "
            "When dead_lettered rises: read the dlq_error headers of <topic>.<group>.dlq.",
            ["topic", "outcome"],
            registry=self.registry,
        )
        self.freshness = Histogram(
            "interlude_enricher_freshness_seconds",
            "From a record's timestamp in Kafka to its features being readable in Redis. "
            "When it rises: compare consumer lag and batch seconds; add an enricher while there are partitions to share.",
            ["topic"],
            buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 600),
            registry=self.registry,
        )
        self.batch_records = Histogram(
            "interlude_enricher_batch_records",
            "Records handled at once. When it stays at the setting's limit: the enricher is catching up.",
            buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000),
            registry=self.registry,
        )
        self.step_seconds = Histogram(
            "interlude_enricher_step_seconds",
            "Time of one batch in each step: decode, read, fold, publish, write. "
            "When read or write rises: look at Redis; when fold rises: look for a listener with very many events.",
            ["step"],
            buckets=(0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2),
            registry=self.registry,
        )
        self.interests = Counter(
            "interlude_enricher_interests_total",
            "Interests found: the same track at least 3 times within 30 minutes.",
            registry=self.registry,
        )
        self.conflicts = Counter(
            "interlude_enricher_conflicts_total",
            "States that another enricher wrote between our read and our write, then folded again. "
            "When it rises outside rebalances: two enrichers run with different group ids on one Redis.",
            registry=self.registry,
        )
        self.undelivered = Counter(
            "interlude_enricher_undelivered_total",
            "Interests and dead letters that Kafka did not take; their batch is repeated. When it rises: look at Kafka.",
            ["topic"],
            registry=self.registry,
        )
        self.generation = Gauge(
            "interlude_enricher_generation",
            "The generation of states that is written; a rebuild raises it by one or more. "
            "When enrichers differ for more than a few seconds: read the log of the one that stays behind.",
            registry=self.registry,
        )
