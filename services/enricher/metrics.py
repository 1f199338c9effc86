"""Everything the enricher measures."""

import time
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from interlude.servicekit.histograms import BatchHistogram
from services.enricher.reconciliation import EventOutcome, Reconciliation


class EnricherMetrics:
    """One instance per process; nothing is registered globally."""

    def __init__(self, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        self.registry = CollectorRegistry()
        self.reconciliation = Reconciliation()
        self.events = ReconciliationMetric(self.reconciliation, now_ms)
        self.registry.register(self.events)
        self.freshness = BatchHistogram(
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
            buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000),
            registry=self.registry,
        )
        self.step_seconds = Histogram(
            "interlude_enricher_step_seconds",
            "Time of one batch in each step: decode, read, fold, publish (waiting for Kafka where something is told), write. "
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
        self.out_of_order = Counter(
            "interlude_enricher_out_of_order_total",
            "Events from a partition that their customer left when the topic grew, after some from the new one: not applied, and "
            "counted as duplicates. When it rises: somebody wrote while the topic grew; make the states anew (`rebuild`), "
            "which applies them.",
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
        self.dead_letter_limit_reached = Gauge(
            "interlude_enricher_dead_letter_limit_reached",
            "1 while too many records of the topic cannot be taken and the enricher waits for somebody to look. When it is 1: "
            "/readyz names the commonest reason; mend the sender or raise ENRICHER_DEAD_LETTER_LIMIT, and restart.",
            ["topic"],
            registry=self.registry,
        )


class ReconciliationMetric(Collector):
    """What `Reconciliation` has counted. All of a scrape is of one moment, between two batches or within one."""

    def __init__(self, reconciliation: Reconciliation, now_ms: Callable[[], int]) -> None:
        self._reconciliation = reconciliation
        self._now_ms = now_ms

    def describe(self) -> Iterable[Metric]:
        """The families without samples."""
        return _reconciliation_families()

    def collect(self) -> Iterator[Metric]:
        """The families with a sample for every partition that was read."""
        received, events, in_flight, age = _reconciliation_families()
        accounts = self._reconciliation.accounts()
        for (topic, partition), records in accounts.received.items():
            received.add_metric([topic, str(partition)], records)
            for outcome in EventOutcome:  # also those that never happened: a sum over nothing would be no sum
                of_outcome = accounts.outcomes.get(((topic, partition), outcome), 0)
                events.add_metric([topic, str(partition), outcome], of_outcome)
        for (topic, partition), records in accounts.in_flight.items():
            in_flight.add_metric([topic, str(partition)], records)
        now_ms = self._now_ms()
        for (topic, partition), arrived_ms in accounts.newest_applied_ms.items():
            age.add_metric([topic, str(partition)], (now_ms - arrived_ms) / 1000)
        yield from (received, events, in_flight, age)


def _reconciliation_families() -> tuple[CounterMetricFamily, CounterMetricFamily, GaugeMetricFamily, GaugeMetricFamily]:
    return (
        CounterMetricFamily(
            "interlude_enricher_received",
            "Records taken from Kafka, by partition. Received = the events of all outcomes + those in flight, in every scrape. "
            "When it is not: an event was lost or counted twice in the enricher; keep the log and rebuild.",
            labels=["topic", "partition"],
        ),
        CounterMetricFamily(
            "interlude_enricher_events",
            "Events by partition and outcome: applied (the state includes it), duplicate (it did already, also when its batch was "
            "repeated after an error), dead_lettered, returned (a rebalance took it away before it was handled). "
            "When dead_lettered rises: read the dlq_error headers of <topic>.<group>.dlq.",
            labels=["topic", "partition", "outcome"],
        ),
        GaugeMetricFamily(
            "interlude_enricher_in_flight_events",
            "Events of the batch that is being handled, by partition. "
            "When it stays the same for minutes: the enricher waits for what /readyz names.",
            labels=["topic", "partition"],
        ),
        GaugeMetricFamily(
            "interlude_enricher_newest_applied_age_seconds",
            "Age of the newest event that was applied, by its record's timestamp in Kafka, by partition. "
            "When it rises in one partition alone: its customers are silent, or its enricher is stuck; compare with received.",
            labels=["topic", "partition"],
        ),
    )
