"""Dashboards and alerts name what running services say on /metrics."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final
from urllib.request import urlopen

import pytest
import yaml
from confluent_kafka import Producer
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from deploy.dashboards.__main__ import FILES
from devstack.places import REPOSITORY
from devstack.stack import Stack
from devstack.system import Service, System
from docs.catalogue import MetricKind, exported_series, read_metrics
from interlude.client import DecisionClient
from interlude.events.topics import PARTITIONER, Topic
from tests.integration.enricher_scene import until
from tests.unit.deploy.queried import faults

_DEADLINE_S: Final = 30.0
_CALL_MS: Final = 5000
_CUSTOMER: Final = 4711
_AT_MS: Final = "1700000000000"

_AWAITED: Final = {
    ("interlude_decision_answers_total", "reason", "unknown_customer"),
    ("interlude_decision_seconds_count", "method", "Decide"),
    ("interlude_enricher_events_total", "outcome", "applied"),
    ("interlude_enricher_events_total", "outcome", "dead_lettered"),
    ("interlude_enricher_freshness_seconds_bucket", "topic", "listens"),
    ("interlude_enricher_step_seconds_bucket", "step", "write"),
    ("interlude_sms_requests_total", "status", "suppressed"),
}
"""What one question, two records and one request must leave behind: series, label, value."""


@dataclass(slots=True)
class Scraped:
    """What the services said: the labels of every series, and every value that a label had."""

    labels: dict[str, frozenset[str]] = field(default_factory=dict)
    values: set[tuple[str, str, str]] = field(default_factory=set)

    def take(self, family: Metric) -> None:
        """Adds one family; a label that has had no value yet is taken from the class."""
        for name in _series_of(family):
            self.labels[name] = exported_series().get(name, frozenset())
        for sample in family.samples:
            if sample.name in self.labels:
                self.labels[sample.name] = frozenset(sample.labels)
                self.values |= {(sample.name, label, value) for label, value in sample.labels.items()}


def _series_of(family: Metric) -> tuple[str, ...]:
    if family.name.endswith("_created"):
        return ()
    endings = {MetricKind.COUNTER.value: ("_total",), MetricKind.HISTOGRAM.value: ("_bucket", "_count", "_sum")}
    return tuple(family.name + ending for ending in endings.get(family.type, ("",)))


def _scrape(system: System) -> Scraped:
    scraped = Scraped()
    for service in Service:
        with urlopen(system.metrics_url(service), timeout=_DEADLINE_S) as answer:
            for family in text_string_to_metric_families(answer.read().decode()):
                scraped.take(family)
    return scraped


def _cause_traffic(system: System) -> None:
    with DecisionClient(system.addresses.decision, deadline_ms=_CALL_MS) as client:
        assert client.decide(_CUSTOMER).error == ""
    customer = {"customerId": str(_CUSTOMER)}
    listen = {**customer, "eventId": "1", "trackId": "1", "playedAtMs": _AT_MS, "device": "DEVICE_MOBILE"}
    request = {**customer, "requestId": "1", "campaignId": "premium-day", "requestedAtMs": _AT_MS}
    _produce(system.stack.kafka, ((Topic.LISTENS, listen), (Topic.LISTENS, {}), (Topic.SMS_REQUESTS, request)))


def _produce(bootstrap: str, records: Iterable[tuple[Topic, dict[str, Any]]]) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "partitioner": PARTITIONER})
    for topic, value in records:
        producer.produce(topic, json.dumps(value), key=str(_CUSTOMER))
    assert producer.flush(_DEADLINE_S) == 0


def _await_traffic(system: System) -> Scraped:
    for awaited in sorted(_AWAITED):
        until(partial(_is_exported, system, awaited), f"never exported: {awaited}", _DEADLINE_S)
    return _scrape(system)


def _is_exported(system: System, awaited: tuple[str, str, str]) -> bool:
    return awaited in _scrape(system).values


@pytest.fixture
def scraped(stack: Stack, system_topics: str, redis_url: str) -> Iterator[Scraped]:
    """The metrics of all services after a little traffic."""
    assert system_topics == stack.kafka
    assert redis_url == stack.redis
    with System.start(stack) as system:
        _cause_traffic(system)
        yield _await_traffic(system)


def _alerts() -> list[str]:
    files = (REPOSITORY / "deploy/alerts").glob("*.yaml")
    groups = [group for file in files for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]]
    return [rule["expr"] for group in groups for rule in group["rules"]]


def test_dashboards_and_alerts_name_what_running_services_export(scraped: Scraped) -> None:
    running = {service.value for service in Service}
    said_to = {
        name: labels
        for service, families in read_metrics().items()
        if service in running
        for family in families
        for name, labels in family.series().items()
    }
    assert scraped.labels == said_to
    expressions = [*_alerts(), *(query.expression for page in FILES.values() for query in page.queries())]
    assert [fault for text in expressions for fault in faults(text, exported_series() | scraped.labels)] == []
