"""What Prometheus and Kubernetes see, over real HTTP."""

import http.client
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Counter

from devstack.ports import LOOPBACK, free_port, is_open
from interlude.servicekit.telemetry import HEARTBEAT_LIMIT_SECONDS, Health, TelemetryServer


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now_seconds = 1000.0

    def __call__(self) -> float:
        return self.now_seconds


class Served:
    """A running telemetry server and everything it speaks for."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.health = Health(self.clock)
        self.registry = CollectorRegistry()
        self.port = free_port()
        self.server = TelemetryServer(LOOPBACK, self.port, self.registry, self.health)

    def get(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()


@pytest.fixture
def served() -> Iterator[Served]:
    running = Served()
    running.server.start()
    yield running
    running.server.stop()


def test_metrics_are_served_as_prometheus_reads_them(served: Served) -> None:
    Counter("kettle_boils_total", "Boils.", registry=served.registry).inc(3)
    status, text = served.get("/metrics")
    assert status == 200
    assert "kettle_boils_total 3.0" in text


def test_a_service_is_ready_once_it_has_all_it_needs(served: Served) -> None:
    assert served.get("/readyz") == (503, "waiting for: not started\n")
    served.health.ready()
    assert served.get("/readyz") == (200, "ready\n")
    served.health.unready("Redis")
    assert served.get("/readyz") == (503, "waiting for: Redis\n")


def test_a_service_lives_as_long_as_its_loop_turns(served: Served) -> None:
    served.clock.now_seconds += HEARTBEAT_LIMIT_SECONDS - 0.001
    assert served.get("/healthz") == (200, "alive\n")
    served.clock.now_seconds += 0.001
    assert served.get("/healthz") == (503, "the main loop hangs\n")
    served.health.beat()
    assert served.get("/healthz") == (200, "alive\n")


def test_waiting_is_not_dying(served: Served) -> None:
    served.health.unready("Kafka")
    assert served.get("/healthz")[0] == 200


@pytest.mark.parametrize("path", ["/", "/metricsx", "/healthz/deep", "/..%2fetc"])
def test_there_is_nothing_else(served: Served, path: str) -> None:
    assert served.get(path) == (404, "not found\n")


def test_stopping_frees_the_port() -> None:
    running = Served()
    running.server.start()
    assert is_open(running.port)
    running.server.stop()
    assert not is_open(running.port)
