"""A running front and what a test needs to look at it: the built wheel is tested from outside, with grpcio as client."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest

try:
    from batchfront import Front
except ImportError:  # no Rust compiler was there at set-up
    collect_ignore_glob = ["test_*.py"]

ECHO = "/test.v1.Echo/Say"
OTHER = "/test.v1.Echo/Sing"
FIXED = "/test.v1.Echo/Fixed"

Calls = list[tuple[str, list[bytes], list[float]]]


class Running:
    """A started front with its workers, the calls that its handler saw, and a channel to it."""

    def __init__(self, handle: Callable[..., Any] | None, workers: int, options: dict[str, Any]) -> None:
        self.calls: Calls = []
        self.gate = threading.Event()
        self.gate.set()
        self._handle = handle or (lambda _, bodies, __: bodies)
        self.front = Front("127.0.0.1:0", [ECHO, OTHER], self._record, echoes={FIXED: b"fixed"}, **options)
        self.front.start()
        self.workers = [threading.Thread(target=self.front.work) for _ in range(workers)]
        for worker in self.workers:
            worker.start()
        self.address = f"127.0.0.1:{self.front.port}"
        self.channel = grpc.insecure_channel(self.address)

    def _record(self, method: str, bodies: list[bytes], remaining_seconds: list[float]) -> Any:
        self.calls.append((method, bodies, remaining_seconds))
        assert self.gate.wait(20)
        return self._handle(method, bodies, remaining_seconds)

    def call(self, method: str = ECHO, **options: Any) -> Any:
        """A callable for one unary method, raw bytes in and out."""
        return self.channel.unary_unary(method, **options)

    def say(self, body: bytes, timeout: float | None = 10, method: str = ECHO) -> bytes:
        answer: bytes = self.call(method)(body, timeout=timeout)
        return answer

    def hold(self) -> Any:
        """Keeps Python busy with one call until `gate` is set; answers that call's future."""
        self.gate.clear()
        busy = self.call().future(b"busy", timeout=20)
        self.until(lambda: self.calls != [])
        return busy

    def counted(self, name: str, value: int) -> None:
        """Waits until a counter has reached a value."""
        self.until(lambda: self.front.counters()[name] >= value, lambda: f"{name}: {self.front.counters()}")

    @staticmethod
    def until(true: Callable[[], bool], what: Callable[[], str] = lambda: "never came true") -> None:
        end = time.monotonic() + 10
        while not true():
            assert time.monotonic() < end, what()
            time.sleep(0.002)

    def end(self) -> None:
        self.gate.set()
        self.channel.close()
        self.front.stop(2)
        for worker in self.workers:
            worker.join(5)
            assert not worker.is_alive()


Run = Callable[..., Running]


@pytest.fixture
def run() -> Iterator[Run]:
    """Starts fronts, `run(handle=None, workers=1, **options)`, and ends them."""
    started: list[Running] = []

    def start(handle: Callable[..., Any] | None = None, workers: int = 1, **options: Any) -> Running:
        started.append(Running(handle, workers, options))
        return started[-1]

    yield start
    for running in started:
        running.end()
