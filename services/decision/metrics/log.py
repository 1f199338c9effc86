"""What becomes of records on their way to Kafka."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class LogMetrics:
    """Counts for the registry of a service."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.dropped = Counter(
            "interlude_decision_log_dropped_total",
            "Records lost, by topic: Kafka did not take them and the disk had no room. When it rises: look at Kafka; answers go "
            "on, training data is lost.",
            ["topic"],
            registry=registry,
        )
        self.spilled = Counter(
            "interlude_decision_log_spilled_total",
            "Records put on disk because Kafka did not take them, by topic. When it rises: look at Kafka; nothing is lost yet.",
            ["topic"],
            registry=registry,
        )
        self.resent = Counter(
            "interlude_decision_log_resent_total",
            "Records that waited on disk and are in Kafka now, by topic. When it stands still while bytes are spilled: Kafka is "
            "away.",
            ["topic"],
            registry=registry,
        )
        self.spill_bytes = Gauge(
            "interlude_decision_spill_bytes",
            "Size of what waits on disk for Kafka. Near DECISION_SPILL_MEGABYTES: the oldest is about to be dropped.",
            registry=registry,
        )
