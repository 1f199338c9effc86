"""`make chaos ONLY=enricher`, as short as it can be: here too nothing may be lost, applied twice or different."""

from collections.abc import Iterator

import pytest
import redis

from bench.chaos.enricher import kills, outages
from bench.chaos.findings import Finding
from bench.chaos.sizes import ENRICHER_TINY
from devstack.stack import Part, Stack
from devstack.topics import recreate_topics


@pytest.fixture(scope="module")
def durable_stack() -> Iterator[Stack]:
    """Parts of its own, and a Redis that has after a kill what it had before."""
    with Stack.start({Part.KAFKA, Part.REDIS}, durable_redis=True) as stack:
        yield stack


@pytest.fixture
def empty_stack(durable_stack: Stack) -> Stack:
    """The same with empty topics and an empty Redis."""
    recreate_topics(durable_stack.kafka, ENRICHER_TINY.partitions)
    with redis.Redis.from_url(durable_stack.redis) as client:
        client.flushall()
    return durable_stack


def _missed(findings: list[Finding]) -> dict[str, float]:
    return {each.name: each.value for each in findings if each.goal and not each.goal.is_met_by(each.value)}


def test_enrichers_that_die_leave_and_hang_lose_nothing(empty_stack: Stack) -> None:
    findings = kills.measure(empty_stack, ENRICHER_TINY)
    assert len(findings) > 5
    assert _missed(findings) == {}


def test_redis_and_kafka_that_hang_and_die_cost_nothing_but_time(empty_stack: Stack) -> None:
    findings = outages.measure(empty_stack, ENRICHER_TINY)
    assert sum(each.name.endswith("_recovery_seconds") for each in findings) == 4
    assert _missed(findings) == {}
