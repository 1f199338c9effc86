"""The decision service against a no-op method on the same server, interleaved in one run."""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from bench.load import WARM_UP_CALLS, LoadResult
from bench.measured import Figure
from bench.population import fill_redis, publish_model, write_campaigns
from bench.server import NOOP_METHOD
from devstack.environment import Environments, choose_addresses
from devstack.keys import generate_keys
from devstack.service import ServiceProcess, grpc_ready
from devstack.stack import Part, Stack
from devstack.topics import create_topics
from interlude.models.store import ModelStore

DECIDE_METHOD = "/interlude.v1.DecisionService/Decide"
METHODS = {"noop": NOOP_METHOD, "decide": DECIDE_METHOD}
IN_FLIGHT = (1, 8, 32)
CUSTOMERS = 20_000
SHOW_SHARE = 0.10
STEADY_RATE = 200
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Sample:
    """One load, and the CPU time that the server spent on each of its calls."""

    load: LoadResult
    server_cpu_us: float


@contextmanager
def running_server() -> Iterator[tuple[str, int]]:
    """A server with listeners and a model, on real Redis and Kafka; gives its address and pid."""
    with Stack.start({Part.KAFKA, Part.REDIS}) as stack:
        create_topics(stack.kafka)
        directory = stack.directory / "bench"
        directory.mkdir()
        store, keys, addresses = directory / "models", generate_keys(), choose_addresses()
        client = redis.Redis.from_url(stack.redis)
        vectors = fill_redis(client, CUSTOMERS, time.time_ns() // 1_000_000)
        publish_model(ModelStore(str(store)), keys.model_private_key, vectors, SHOW_SHARE)
        campaigns = write_campaigns(directory / "campaigns.json")
        environment = Environments(stack, keys, store, addresses, campaigns).decision()
        server = ServiceProcess.launch(
            "bench-server",
            "bench.server",
            environment,
            ready=grpc_ready(addresses.decision),
            log_directory=stack.log_directory,
        )
        try:
            server.wait_until_ready()
            yield addresses.decision, server.pid
        finally:
            server.terminate(10)


def measure(target: str, pid: int, method: str, shape: str, amount: float, seconds: float) -> Sample:
    """One load from a process of its own."""
    before = _cpu_seconds(pid)
    command = [sys.executable, "-m", "bench.load", target, METHODS[method], shape, str(amount), str(seconds)]
    output = subprocess.run([*command, str(CUSTOMERS)], capture_output=True, text=True, check=True).stdout
    load = LoadResult(**json.loads(output))
    return Sample(load, (_cpu_seconds(pid) - before) / (load.calls + WARM_UP_CALLS) * 1e6)


def measure_all(rounds: int, seconds: float) -> dict[str, Figure]:
    """Every figure of the decision service."""
    samples: dict[tuple[str, int], list[Sample]] = {}
    steady = []
    with running_server() as (target, pid):
        for number in range(rounds):
            for in_flight in IN_FLIGHT:
                for method in METHODS:
                    sample = measure(target, pid, method, "closed", in_flight, seconds)
                    samples.setdefault((method, in_flight), []).append(sample)
                    _show(number, method, f"{in_flight} in flight", sample)
            sample = measure(target, pid, "decide", "open", STEADY_RATE, seconds)
            steady.append(sample)
            _show(number, "decide", f"{STEADY_RATE}/s", sample)
    return {**_ratios(samples), **_absolutes(samples), **_steady(steady)}


def _ratios(samples: dict[tuple[str, int], list[Sample]]) -> dict[str, Figure]:
    figures = {}
    for in_flight in IN_FLIGHT:
        pairs = list(zip(samples["decide", in_flight], samples["noop", in_flight], strict=True))
        throughput = statistics.median(decide.load.per_second / noop.load.per_second for decide, noop in pairs)
        p50 = statistics.median(decide.load.p50_ms / noop.load.p50_ms for decide, noop in pairs)
        cpu = statistics.median(noop.server_cpu_us / decide.server_cpu_us for decide, noop in pairs)
        against = f"a no-op method on the same server, {in_flight} in flight"
        figures[f"grpcio_vs_noop_{in_flight}"] = Figure(round(throughput, 3), "× throughput", against)
        figures[f"grpcio_p50_over_noop_{in_flight}"] = Figure(round(p50, 3), "× p50", against)
        figures[f"grpcio_vs_noop_cpu_{in_flight}"] = Figure(round(cpu, 3), "× calls per server CPU second", against)
    return figures


def _absolutes(samples: dict[tuple[str, int], list[Sample]]) -> dict[str, Figure]:
    figures = {}
    for (method, in_flight), taken in samples.items():
        against = f"closed loop, {in_flight} in flight, client on the same machine"
        rate = statistics.median(sample.load.per_second for sample in taken)
        p50 = statistics.median(sample.load.p50_ms for sample in taken)
        cpu = statistics.median(sample.server_cpu_us for sample in taken)
        figures[f"{method}_per_second_{in_flight}"] = Figure(round(rate), "calls/s", against)
        figures[f"{method}_p50_ms_{in_flight}"] = Figure(round(p50, 3), "ms", against)
        figures[f"{method}_server_cpu_us_{in_flight}"] = Figure(round(cpu, 1), "µs of server CPU a call", against)
    return figures


def _steady(taken: list[Sample]) -> dict[str, Figure]:
    against = f"open loop, {STEADY_RATE} calls/s, from the intended time"
    p50 = statistics.median(sample.load.p50_ms for sample in taken)
    p99 = statistics.median(sample.load.p99_ms for sample in taken)
    late = sum(sample.load.late + sample.load.failed for sample in taken)
    return {
        "steady_p50_ms": Figure(round(p50, 3), "ms", against),
        "steady_p99_ms": Figure(round(p99, 3), "ms", against),
        "steady_late_or_failed": Figure(late, "calls", against),
    }


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


def _show(number: int, method: str, shape: str, sample: Sample) -> None:
    load = sample.load
    print(
        f"round {number + 1}  {method:6}  {shape:12}  {load.per_second:8.0f}/s  p50 {load.p50_ms:7.3f} ms  "
        f"p99 {load.p99_ms:7.3f} ms  server {sample.server_cpu_us:6.0f} µs/call  shown {load.shown / load.calls:.1%}",
        flush=True,
    )
