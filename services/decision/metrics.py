"""Everything the decision service measures."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from interlude.servicekit.histograms import BatchHistogram
from services.decision.sample_ratio import Deviation
from services.decision.trial_metrics import TrialMetrics

FRONT_ENDS: Final = ("answered", "late", "expired", "cancelled")
REFUSAL_CAUSES: Final = ("in_flight", "queue", "stopping", "message")
RENEWALS: Final = ("reloaded", "refused")


class FrontMetrics(Collector):
    """What the front counts by itself, read when somebody asks: counting here as well would cost every call."""

    def __init__(self) -> None:
        self.counters: Callable[[], Mapping[str, int]] = dict
        """Where they are read: a front's `counters`."""
        self.certificate_expires_seconds: Callable[[], float] | None = None
        """When the certificate that is served expires, epoch seconds; None: no TLS."""

    def describe(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """The families without values."""
        yield from self._families({})

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """The families as they are now."""
        yield from self._families(self.counters())

    def _families(self, counters: Mapping[str, int]) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        received = CounterMetricFamily(
            "interlude_decision_front_received",
            "Calls that arrived, answered or not. When it rises and answers do not: see how the others ended.",
        )
        received.add_metric([], counters.get("received", 0))
        yield received
        ended = CounterMetricFamily(
            "interlude_decision_front_ended",
            "Calls by their end: answered in time, answered too late, expired or cancelled before they were begun. "
            "When others than answered rise: callers' deadlines are too short, or calls queue; add replicas.",
            labels=["end"],
        )
        for end in FRONT_ENDS:
            ended.add_metric([end], counters.get(end, 0))
        yield ended
        refused = CounterMetricFamily(
            "interlude_decision_front_refused",
            "Calls refused before they were begun, by cause. in_flight or queue: more calls than this replica can answer; add "
            "replicas. message: too large or broken, seen by the native front only.",
            labels=["cause"],
        )
        for cause in REFUSAL_CAUSES:
            refused.add_metric([cause], counters.get(f"refused_{cause}", 0))
        yield refused
        yield from _connections(counters)
        yield _renewals(counters)
        yield _expiry(self.certificate_expires_seconds)


def _connections(counters: Mapping[str, int]) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
    """Of the native front: grpcio says nothing of its own."""
    accepted = CounterMetricFamily(
        "interlude_decision_front_connections",
        "Connections accepted; none with grpcio. When it rises with the calls: a caller makes a channel for each call.",
    )
    still_open = GaugeMetricFamily(
        "interlude_decision_front_open_connections",
        "Connections open now; none with grpcio. When pods differ much: a balancer before them keeps callers on one.",
    )
    if "connections" in counters:
        accepted.add_metric([], counters["connections"])
        still_open.add_metric([], counters["connections_open"])
    yield accepted
    yield still_open


def _renewals(counters: Mapping[str, int]) -> CounterMetricFamily:
    renewals = CounterMetricFamily(
        "interlude_decision_front_certificates",
        "Changed certificate files by what became of them: reloaded for the connections to come, or refused. When refused "
        "rises without reloaded: the old certificate serves on until it expires; the log says what is wrong with the files.",
        labels=["result"],
    )
    for result in RENEWALS:
        renewals.add_metric([result], counters.get(f"certificates_{result}", 0))
    return renewals


def _expiry(expires_seconds: Callable[[], float] | None) -> GaugeMetricFamily:
    expiry = GaugeMetricFamily(
        "interlude_decision_front_certificate_expires_timestamp_seconds",
        "When the certificate that is served expires, epoch seconds; none without TLS. When it is near: see who renews the "
        "files, and whether they are refused.",
    )
    if expires_seconds is not None:
        expiry.add_metric([], expires_seconds())
    return expiry


class SampleRatioMetric(Collector):
    """The check of running experiments, made when somebody asks."""

    def __init__(self) -> None:
        self.deviations: Callable[[], Iterable[Deviation]] = tuple
        """Where it is read: an `ExperimentCheck`'s `deviations`."""

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """The family without values."""
        yield self._family(())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The family as it is now."""
        yield self._family(self.deviations())

    def _family(self, deviations: Iterable[Deviation]) -> GaugeMetricFamily:
        family = GaugeMetricFamily(
            "interlude_decision_sample_ratio_standard_errors",
            "How far the distinct customers of an experiment's side are from its share, since this process began. Beyond 4 either "
            "way: do not trust the experiment before you know which calls or customers are missing.",
            labels=["campaign", "side"],
        )
        for deviation in deviations:
            family.add_metric([deviation.campaign_id, deviation.side], deviation.standard_errors)
        return family


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
        self.models_loaded = Counter(
            "interlude_decision_models_loaded_total", "Models that began to serve.", registry=self.registry
        )
        self.models_refused = Counter(
            "interlude_decision_models_refused_total",
            "Models that were not served, by the check they failed. Any: the champion in the store is not what serves.",
            ["check"],
            registry=self.registry,
        )
        self.model_info = Gauge(
            "interlude_decision_model_info", "1 for the version that serves.", ["version"], registry=self.registry
        )
        self.trial = TrialMetrics(self.registry)
        self.campaigns_loaded = Counter(
            "interlude_decision_campaigns_loaded_total",
            "Campaign documents that began to serve.",
            registry=self.registry,
        )
        self.campaigns_refused = Counter(
            "interlude_decision_campaigns_refused_total",
            "Campaign documents that were not taken. Any: the old one serves on; the log names every problem of the new.",
            registry=self.registry,
        )
        self.campaigns_info = Gauge(
            "interlude_decision_campaigns_info", "1 for the version that serves.", ["version"], registry=self.registry
        )
        self.budget_units = Counter(
            "interlude_decision_budget_units_total",
            "Discounts by campaign and way: leased from Redis, taken for an offer, given back, returned. Taken less given back "
            "is what this replica has promised; when leased rises and taken does not, discounts lie idle here.",
            ["campaign", "way"],
            registry=self.registry,
        )
        self.sample_ratio = SampleRatioMetric()
        self.registry.register(self.sample_ratio)
        self.log_dropped = Counter(
            "interlude_decision_log_dropped_total",
            "Records lost, by topic: Kafka did not take them and the disk had no room. When it rises: look at Kafka; answers go "
            "on, training data is lost.",
            ["topic"],
            registry=self.registry,
        )
        self.log_spilled = Counter(
            "interlude_decision_log_spilled_total",
            "Records put on disk because Kafka did not take them, by topic. When it rises: look at Kafka; nothing is lost yet.",
            ["topic"],
            registry=self.registry,
        )
        self.log_resent = Counter(
            "interlude_decision_log_resent_total",
            "Records that waited on disk and are in Kafka now, by topic. When it stands still while bytes are spilled: Kafka is "
            "away.",
            ["topic"],
            registry=self.registry,
        )
        self.spill_bytes = Gauge(
            "interlude_decision_spill_bytes",
            "Size of what waits on disk for Kafka. Near DECISION_SPILL_MEGABYTES: the oldest is about to be dropped.",
            registry=self.registry,
        )
        self.outcomes = Counter(
            "interlude_decision_outcomes_total", "Outcomes taken, by kind, each once.", ["kind"], registry=self.registry
        )
        self.repeated_outcomes = Counter(
            "interlude_decision_repeated_outcomes_total",
            "Reports of what was reported before, by kind; answered and not queued again. When it rises: players report twice.",
            ["kind"],
            registry=self.registry,
        )
        self.unchecked_outcomes = Counter(
            "interlude_decision_unchecked_outcomes_total",
            "Outcomes taken while Redis could not tell whether they had been before. When it rises: look at Redis; readers drop "
            "doubles.",
            registry=self.registry,
        )
        self.refused_tokens = Counter(
            "interlude_decision_refused_tokens_total",
            "Reports refused for their token, by cause. forged: tried by strangers, or replicas differ in DECISION_TOKEN_KEY. "
            "expired: players report too late.",
            ["cause"],
            registry=self.registry,
        )

    def model_loaded(self, version: str) -> None:
        """`version` serves from now on."""
        self.models_loaded.inc()
        self.model_info.clear()
        self.model_info.labels(version).set(1)

    def campaigns_version(self, version: str) -> None:
        """`version` of the campaign document serves from now on."""
        self.campaigns_loaded.inc()
        self.campaigns_info.clear()
        self.campaigns_info.labels(version).set(1)

    def budget_moved(self, campaign_id: str, way: str, units: int) -> None:
        """`units` of a budget went that way."""
        self.budget_units.labels(campaign_id, way).inc(units)

    def model_refused(self, check: str) -> None:
        """A model failed `check`."""
        self.models_refused.labels(check).inc()
