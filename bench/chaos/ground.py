"""What every scenario stands on: the parts, the services, the load, and what a front can do."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from bench.chaos.load import Generator
from bench.chaos.reports import Counts
from bench.chaos.sizes import Sizes
from bench.servers import Scene, Server
from devstack.load import load_generator

CAPACITY_IN_FLIGHT: Final = 48
SUSTAINED_SHARE: Final = 0.99
"""Of the calls of a rate that have to be answered in time for a front to sustain it."""
STEPS: Final = tuple(percent / 100 for percent in range(30, 101, 5))
"""Of what a closed loop makes: rates that are tried. Callers who wait for one another come in batches, and a front answers more
of them than of such as come when they come; how much more is its own affair."""


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
        """Decisions a second that its front sustains, whoever comes when; found out when it is asked for first."""
        front = server.front
        if front not in self._capacity:
            closed = self._in_closed_loop(server)
            rates = [share * closed for share in STEPS]
            seconds = [self.sizes.capacity_seconds] * len(rates)
            with self.generator.open(server, rates, seconds, window_ms=1000) as load:
                self._capacity[front] = sustained(rates, load.report().phases)
            say(front, f"capacity {self._capacity[front]:,.0f} decisions/s; {closed:,.0f} in a closed loop")
        return self._capacity[front]

    def _in_closed_loop(self, server: Server) -> float:
        """Decisions a second with `CAPACITY_IN_FLIGHT` in flight."""
        for seconds in (self.sizes.capacity_seconds / 4, self.sizes.capacity_seconds):
            with self.generator.closed(server, CAPACITY_IN_FLIGHT, seconds) as load:
                per_second = load.report().all.per_second
        return per_second


def sustained(rates: Sequence[float], phases: Sequence[Counts]) -> float:
    """The highest of the rising `rates` up to which `SUSTAINED_SHARE` of all calls was answered in time; else the
    lowest."""
    highest = rates[0]
    for rate, phase in zip(rates, phases, strict=False):
        if phase.in_time < SUSTAINED_SHARE * phase.ended:
            break
        highest = rate
    return highest


def say(front: str, what: str) -> None:
    """Tell how far it is."""
    print(f"{front:7} {what}", flush=True)
