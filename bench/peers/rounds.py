"""Rounds in which the same loads go to both our fronts and to the peers, one after the other."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence

from bench.loading import METHODS, Load, Loader
from bench.measured import Figure
from bench.peers.environments import PeersMissing
from bench.peers.figures import BOTH, FEAST, LATENCY_IN_FLIGHT, MLSERVER, THROUGHPUT_IN_FLIGHT, SideBySide, peer_figures
from bench.peers.servers import WAYS, PeerLoad, Peers
from bench.servers import CUSTOMERS, Scene, Server
from devstack.process import ProcessFailed


def measure_against_peers(
    scene: Scene, loader: Loader, servers: Sequence[Server], rounds: int, seconds: float
) -> dict[str, Figure]:
    """The figures against the peers; none, and a sentence on the terminal, where they cannot be had."""
    try:
        with Peers.start(scene) as peers:
            measured = SideBySide()
            for _ in range(rounds):
                for in_flight in (LATENCY_IN_FLIGHT, THROUGHPUT_IN_FLIGHT):
                    _ours(loader, servers, in_flight, seconds, measured)
                    _theirs(peers, in_flight, seconds, measured)
                _from_python(servers, seconds, measured)
    except (PeersMissing, ProcessFailed) as error:
        print(f"bench: the figures against the peers are left out: {error}", flush=True)
        return {}
    return peer_figures([server.front for server in servers], measured)


def _ours(loader: Loader, servers: Sequence[Server], in_flight: int, seconds: float, measured: SideBySide) -> None:
    for server in servers:
        sample = loader.measure(server, Load("decide", "closed", in_flight), seconds)
        measured.ours.setdefault((server.front, in_flight), []).append(sample)
        _show(server.front, in_flight, sample.per_second, sample.p50_ms)


def _theirs(peers: Peers, in_flight: int, seconds: float, measured: SideBySide) -> None:
    for part, way in _parts():
        sample = peers.measure(PeerLoad(way, part != FEAST, in_flight, seconds))
        measured.peers.setdefault((part, way, in_flight), []).append(sample)
        _show(f"{part} {way}", in_flight, sample.per_second, sample.p50_ms)


def _parts() -> Iterator[tuple[str, str]]:
    """Each part alone and both together, in each way to read the features."""
    yield MLSERVER, ""
    for way in WAYS:
        yield FEAST, way
        yield BOTH, way


def _from_python(servers: Sequence[Server], seconds: float, measured: SideBySide) -> None:
    """Our decisions for a caller in Python, which is what the peers have."""
    for server in servers:
        load = ["closed", str(LATENCY_IN_FLIGHT), str(seconds), str(CUSTOMERS)]
        command = [sys.executable, "-m", "bench.asyncio_load", server.target, METHODS["decide"], *load]
        result = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
        measured.from_python_ms.setdefault(server.front, []).append(result["p50_ms"])
        _show(f"{server.front} from Python", LATENCY_IN_FLIGHT, result["per_second"], result["p50_ms"])


def _show(who: str, in_flight: int, per_second: float, p50_ms: float) -> None:
    print(f"{who:19} {in_flight:3} in flight {per_second:8.0f}/s  p50 {p50_ms:7.3f} ms", flush=True)
