"""The decision service behind both fronts, against no-ops on the same servers, interleaved in one run."""

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from bench.decision_figures import figures_of
from bench.floor import benchmark_p50_ms, read_p50_ms
from bench.loading import METHODS, Load, Loader, Sample
from bench.measured import Figure
from bench.peers.rounds import measure_against_peers
from bench.servers import Scene, Server
from services.decision import native_front

IN_FLIGHT: Final = (1, 8, 32, 128)
STEADY_RATE: Final = 200
LOADED_SHARE: Final = 0.6
CAPACITY_IN_FLIGHT: Final = 32


@dataclass(slots=True)
class Measured:
    """Samples by front, method and shape, in the order of rounds; what one read of Redis takes; calls a second of one and of
    two processes, taken side by side."""

    samples: dict[tuple[str, str, str], list[Sample]] = field(default_factory=dict)
    floor_ms: list[float] = field(default_factory=list)
    benchmark_ms: list[float] = field(default_factory=list)
    processes: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def add(self, server: Server, load: Load, name: str, sample: Sample) -> None:
        """Keep a sample, and show it."""
        self.samples.setdefault((server.front, load.method, name), []).append(sample)
        _show(server, load, sample)

    def capacity(self, front: str) -> float:
        """Decisions a second, the median of the rounds."""
        taken = self.samples[front, "decide", f"{CAPACITY_IN_FLIGHT}"]
        return statistics.median(sample.per_second for sample in taken)


def measure_all(rounds: int, seconds: float, *, peers: bool = False) -> dict[str, Figure]:
    """Every figure of the decision service; with `peers` also those against them, where they can be had."""
    fronts = ("native", "grpcio") if native_front.AVAILABLE else ("grpcio",)
    if len(fronts) == 1:
        print("bench: the native front is not installed, so only grpcio is measured (`make setup` says why)")
    measured = Measured()
    with Scene.start() as scene:
        loader = Loader(scene)
        with scene.servers(*fronts) as servers:
            for _ in range(rounds):
                _one_round(scene, loader, servers, measured, seconds)
            for _ in range(rounds):
                _at_share_of_capacity(loader, servers, measured, seconds)
            against_peers = measure_against_peers(scene, loader, servers, rounds, seconds) if peers else {}
        for front in fronts:
            _two_processes(scene, loader, front, measured, rounds, seconds)
    return {**against_peers, **figures_of(fronts, measured)}


def _one_round(scene: Scene, loader: Loader, servers: list[Server], measured: Measured, seconds: float) -> None:
    measured.floor_ms.append(read_p50_ms(scene.redis_url))
    benchmark_ms = benchmark_p50_ms(scene.redis_url)
    if benchmark_ms is not None:
        measured.benchmark_ms.append(benchmark_ms)
    for load in _closed_loads():
        for server in servers:
            measured.add(server, load, f"{load.amount:.0f}", loader.measure(server, load, seconds))
    for server in servers:
        steady = Load("decide", "open", STEADY_RATE)
        measured.add(server, steady, "steady", loader.measure(server, steady, seconds))


def _closed_loads() -> Iterator[Load]:
    for in_flight in IN_FLIGHT:
        for method in METHODS:
            yield Load(method, "closed", in_flight)


def _at_share_of_capacity(loader: Loader, servers: list[Server], measured: Measured, seconds: float) -> None:
    for server in servers:
        load = Load("decide", "open", round(LOADED_SHARE * measured.capacity(server.front)))
        measured.add(server, load, "loaded", loader.measure(server, load, seconds))


def _two_processes(scene: Scene, loader: Loader, front: str, measured: Measured, rounds: int, seconds: float) -> None:
    """One process alone, then two at once, each with the same load."""
    load = Load("decide", "closed", CAPACITY_IN_FLIGHT)
    with scene.servers(front, front) as servers:
        for _ in range(rounds):
            alone = loader.measure(servers[0], load, seconds).per_second
            together = sum(sample.per_second for sample in loader.measure_all(servers, load, seconds))
            measured.processes.setdefault(front, []).append((alone, together))
            print(f"{front:7} one process {alone:8.0f}/s, two {together:8.0f}/s", flush=True)


def _show(server: Server, load: Load, sample: Sample) -> None:
    print(
        f"{server.front:7} {load.method:6} {load!s:13} {sample.per_second:8.0f}/s  p50 {sample.p50_ms:7.3f} "
        f"p99 {sample.p99_ms:7.3f} ms  CPU µs/call: client {sample.client_cpu_us:4.0f} server {sample.server_cpu_us:4.0f} "
        f"Redis {sample.redis_cpu_us:3.0f}  shown {sample.shown_share:.1%}",
        flush=True,
    )
