"""Everything that the service measures, put together."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from interlude.servicekit.histograms import BatchHistogram
from services.decision.metrics.following import CampaignMetrics, ModelMetrics
from services.decision.metrics.front import FrontMetrics
from services.decision.metrics.log import LogMetrics
from services.decision.metrics.outcomes import OutcomeMetrics
from services.decision.metrics.sample_ratio import SampleRatioMetric
from services.decision.metrics.trial import TrialMetrics


class DecisionMetrics:
    """One instance per process; nothing is registered globally."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.decisions = Counter(
            "interlude_decision_answers_total",
            "Answers by reason and rung. When unavailable rises: the rung says what is missing.",
            ["reason", "rung"],
            registry=self.registry,
        )
        self.seconds = BatchHistogram(
            "interlude_decision_seconds",
            "From a request being taken up to its answer being ready, with its whole batch, by method. "
            "When it rises: compare with the time of Redis and with calls in progress; add replicas.",
            ["method"],
            buckets=(0.0002, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 1),
            registry=self.registry,
        )
        self.refused = Counter(
            "interlude_decision_refused_requests_total",
            "Requests that were the caller's fault, by method and field. When it rises: a player release sends wrong fields.",
            ["method", "field"],
            registry=self.registry,
        )
        self.errors = Counter(
            "interlude_decision_internal_errors_total",
            "Calls that ended as INTERNAL. Any: find the error id in the log.",
            ["method"],
            registry=self.registry,
        )
        self.in_progress = Gauge(
            "interlude_decision_calls_in_progress",
            "Calls that have arrived and have no answer yet. When it stays near DECISION_CONCURRENT_CALLS: calls queue; "
            "add replicas.",
            registry=self.registry,
        )
        self.front = FrontMetrics()
        self.registry.register(self.front)
        self.batch_requests = Histogram(
            "interlude_decision_batch_requests",
            "Requests answered together, one observation a batch. When the mean rises: a replica has less and less time to spare.",
            buckets=(1, 2, 4, 8, 16, 32, 64),
            registry=self.registry,
        )
        self.feature_age = BatchHistogram(
            "interlude_decision_feature_age_seconds",
            "Age of the newest listen that an answer's features know. When it rises: look at the enricher's freshness.",
            buckets=(1, 10, 60, 300, 900, 3600, 4 * 3600, 24 * 3600, 7 * 24 * 3600, 30 * 24 * 3600),
            registry=self.registry,
        )
        self.corrupt_features = Counter(
            "interlude_decision_corrupt_features_total",
            "Features or contacts in Redis that do not decode. Any: enricher and decision service run different schemas.",
            registry=self.registry,
        )
        self.models = ModelMetrics(self.registry)
        self.trial = TrialMetrics(self.registry)
        self.campaigns = CampaignMetrics(self.registry)
        self.sample_ratio = SampleRatioMetric()
        self.registry.register(self.sample_ratio)
        self.log = LogMetrics(self.registry)
        self.outcomes = OutcomeMetrics(self.registry)
