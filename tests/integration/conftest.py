"""Real parts for the integration tests: one Kafka, Redis and SMS operator for the session."""

import asyncio
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import redis

from devstack.stack import Stack
from devstack.topics import create_topics, delete_topics, plan_topics, recreate_topics
from tests.clients import KINDS, Connect, connect_with


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """All parts, shared: a test that kills or pauses one puts it back, or starts a stack of its own."""
    with Stack.start() as running:
        yield running


@pytest.fixture
def redis_url(stack: Stack) -> str:
    """An empty Redis."""
    with redis.Redis.from_url(stack.redis) as client:
        client.flushall()
    return stack.redis


@dataclass(frozen=True, slots=True)
class TopicSet:
    """A full set of topics that only one test uses."""

    bootstrap: str
    prefix: str

    def name(self, topic: str) -> str:
        """Name of this set's topic: its prefix before the topic's own name."""
        return self.prefix + topic


@pytest.fixture
def topic_set(stack: Stack) -> Iterator[TopicSet]:
    """Topics under a prefix of the test's own, removed afterwards: for code that takes names of topics."""
    topics = TopicSet(stack.kafka, f"test-{uuid.uuid4().hex[:8]}-")
    create_topics(stack.kafka, prefix=topics.prefix)
    yield topics
    delete_topics(stack.kafka, [plan.name for plan in plan_topics(prefix=topics.prefix)])


@pytest.fixture
def system_topics(stack: Stack) -> str:
    """The system's own topics, empty: for whole services. Gives the bootstrap servers."""
    recreate_topics(stack.kafka)
    return stack.kafka


@pytest.fixture
def group_id() -> str:
    """A consumer group that nobody has used."""
    return f"test-{uuid.uuid4().hex[:8]}"


@pytest.fixture(params=KINDS)
def connect(request: pytest.FixtureRequest) -> Iterator[Connect]:
    """Makes clients for player teams: every test that asks for it runs with the one for threads and with that on asyncio."""
    with asyncio.Runner() as runner:
        yield connect_with(request.param, runner)
