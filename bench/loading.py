"""One load and what came of it: with the load generator in Rust where it can be had, else with the one in Python."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.bodies import write_bodies
from bench.processes import cpu_seconds
from bench.server import NOOP_METHOD
from bench.servers import CUSTOMERS, Scene, Server
from devstack.crates import BuildFailed
from devstack.load import load_generator

METHODS: Final = {"noop": NOOP_METHOD, "decide": "/interlude.v1.DecisionService/Decide"}
WARM_UP_CALLS: Final = 300
DEADLINE_MS: Final = 50
CONNECTIONS: Final = 4
_SHOWN: Final = "0801"  # the first field of a response is `show`


@dataclass(frozen=True, slots=True)
class Load:
    """What to send. `amount` is calls in flight, or calls a second."""

    method: str
    shape: str
    amount: float

    def __str__(self) -> str:
        return f"{self.amount:.0f} in flight" if self.shape == "closed" else f"{self.amount:.0f}/s"


@dataclass(frozen=True, slots=True)
class Sample:
    """One load on one server. Latencies in ms; CPU in µs a call, of the client, the server and Redis."""

    per_second: float
    p50_ms: float
    p99_ms: float
    late_or_failed: int
    shown_share: float
    client_cpu_us: float
    server_cpu_us: float
    redis_cpu_us: float


class Loader:
    """Loads servers of one scene, each time with other request ids."""

    def __init__(self, scene: Scene) -> None:
        """Says so where it has to make do with the loader in Python."""
        self._redis_pid = scene.redis_pid
        self._bodies = write_bodies(scene.directory / "bodies", CUSTOMERS)
        self._seed = 0
        try:
            self._generator: Path | None = load_generator()
        except BuildFailed as error:
            self._generator = None
            print(f"bench: {str(error).splitlines()[0]}; loading from Python, which ends near 4,700 calls/s")

    def measure(self, server: Server, load: Load, seconds: float) -> Sample:
        """One load from a process of its own."""
        return self.measure_all([server], load, seconds)[0]

    def measure_all(self, servers: list[Server], load: Load, seconds: float) -> list[Sample]:
        """The same load on each of `servers` at the same time. Redis' time is shared among all."""
        before = [cpu_seconds(pid) for pid in (self._redis_pid, *(server.pid for server in servers))]
        clients = [
            subprocess.Popen(self._command(server, load, seconds), stdout=subprocess.PIPE, text=True)
            for server in servers
        ]
        outputs = [client.communicate()[0] for client in clients]
        after = [cpu_seconds(pid) for pid in (self._redis_pid, *(server.pid for server in servers))]
        spent = [late - early for early, late in zip(before, after, strict=True)]
        results: list[dict[str, Any]] = [json.loads(output) for output in outputs]
        calls = sum(result["calls"] for result in results)
        return [
            _sample(result, server_seconds, spent[0] * result["calls"] / max(1, calls))
            for result, server_seconds in zip(results, spent[1:], strict=True)
        ]

    def _command(self, server: Server, load: Load, seconds: float) -> list[str]:
        self._seed += 1
        target = [
            server.target,
            METHODS[load.method],
            load.shape,
            str(load.amount if load.shape == "open" else int(load.amount)),
        ]
        if self._generator is None:
            return [sys.executable, "-m", "bench.asyncio_load", *target, str(seconds), str(CUSTOMERS)]
        connections = min(CONNECTIONS, int(load.amount)) if load.shape == "closed" else CONNECTIONS
        options = {"bodies": self._bodies, "seconds": seconds, "connections": connections, "seed": self._seed}
        options |= {"warm_up": WARM_UP_CALLS, "deadline_ms": DEADLINE_MS if load.shape == "open" else 0}
        return [str(self._generator), *target, *(f"{name}={value}" for name, value in options.items())]


def _sample(result: Mapping[str, Any], server_seconds: float, redis_seconds: float) -> Sample:
    calls = max(1, result["calls"])
    shown = result["kinds"].get(_SHOWN, 0) if "kinds" in result else result["shown"]
    return Sample(
        per_second=result["per_second"],
        p50_ms=result["p50_ms"],
        p99_ms=result["p99_ms"],
        late_or_failed=result["late"] + result["failed"],
        shown_share=shown / calls,
        client_cpu_us=result["cpu_seconds"] / calls * 1e6,
        server_cpu_us=server_seconds / (calls + WARM_UP_CALLS) * 1e6,
        redis_cpu_us=redis_seconds / (calls + WARM_UP_CALLS) * 1e6,
    )
