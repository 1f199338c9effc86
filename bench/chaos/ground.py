"""What every scenario stands on: the parts, the services, the load, and what a front can do."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from bench.chaos.load import Generator
from bench.chaos.sizes import Sizes
from bench.servers import Scene, Server
from devstack.load import load_generator

CAPACITY_IN_FLIGHT: Final = 48


class Ground:
    """Real Redis and Kafka with listeners and a model."""

    def __init__(self, scene: Scene, sizes: Sizes) -> None:
        """Raises BuildFailed without a Rust compiler: no other load is fast enough."""
        self.scene: Final = scene
        self.sizes: Final = sizes
        self.generator: Final = Generator(load_generator(), scene)
        self._capacity: dict[str, float] = {}

    @classmethod
    @contextmanager
    def start(cls, sizes: Sizes) -> Iterator["Ground"]:
        """Until the end of the block."""
        with Scene.start(customers=sizes.customers) as scene:
            yield cls(scene, sizes)

    def capacity(self, server: Server) -> float:
        """Decisions a second of its front, in a closed loop; found out when it is asked for first."""
        front = server.front
        if front not in self._capacity:
            for seconds in (self.sizes.capacity_seconds / 4, self.sizes.capacity_seconds):
                with self.generator.closed(server, CAPACITY_IN_FLIGHT, seconds) as load:
                    self._capacity[front] = load.report().all.per_second
            say(front, f"capacity {self._capacity[front]:,.0f} decisions/s with {CAPACITY_IN_FLIGHT} in flight")
        return self._capacity[front]


def say(front: str, what: str) -> None:
    """Tell how far it is."""
    print(f"{front:7} {what}", flush=True)
