"""What the front counts of calls, connections and certificates."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

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
