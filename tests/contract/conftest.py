"""A real Redis beside the fakes: each suite runs on both."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis

from devstack.stack import Part, Stack
from interlude.servicekit.redis import ConnectionPerThread, connect

PATIENT_MS = 5000
"""A suite asks what is answered, not how fast: a busy machine must not fail it."""


@pytest.fixture(scope="session")
def redis_stack() -> Iterator[Stack]:
    """A Redis for the session; a test that pauses it resumes it."""
    with Stack.start({Part.REDIS}) as stack:
        yield stack


@pytest.fixture
def client(redis_stack: Stack) -> Iterator["redis.Redis"]:
    """A patient client of an empty Redis."""
    with connect(redis_stack.redis, timeout_ms=PATIENT_MS) as patient:
        patient.flushall()
        yield patient


@contextmanager
def paused(stack: Stack) -> Iterator[None]:
    """Redis takes connections and answers nothing, until the end of the block."""
    stack.pause(Part.REDIS)
    try:
        yield
    finally:
        stack.resume(Part.REDIS)


def connections_like(client: "redis.Redis") -> ConnectionPerThread:
    """Held connections to the Redis of `client`, as patient as it is."""
    where = client.connection_pool.connection_kwargs
    url = f"redis://{where['host']}:{where['port']}/0"
    return ConnectionPerThread(url, timeout_ms=round(where["socket_timeout"] * 1000))
