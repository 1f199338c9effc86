"""A decision service whose way to Redis can be disturbed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devstack.faulty_proxy import FaultyProxy
from devstack.stack import Stack
from tests.integration.decision_scene import DecisionScene, running


@contextmanager
def behind_a_proxy(stack: Stack, directory: Path, front: str) -> Iterator[tuple[DecisionScene, FaultyProxy]]:
    """A decision service whose way to Redis is the proxy; what the test itself does in Redis does not pass it."""
    with (
        FaultyProxy(stack.redis) as proxy,
        running(stack, directory, front=front, settings={"DECISION_REDIS_URL": proxy.url}) as scene,
    ):
        yield scene, proxy
