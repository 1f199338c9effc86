"""From the samples of the peers and ours to figures: ratios within a round, then their median."""

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from bench.measured import Figure

LATENCY_IN_FLIGHT: Final = 1
THROUGHPUT_IN_FLIGHT: Final = 32
FEAST: Final = "feast"
MLSERVER: Final = "mlserver"
BOTH: Final = "both"


@dataclass(frozen=True, slots=True)
class PeerSample:
    """One load on the peers: calls a second, and the median latency in ms as their caller sees it."""

    per_second: float
    p50_ms: float


class AnySample(Protocol):
    """What both are compared by."""

    @property
    def per_second(self) -> float: ...
    @property
    def p50_ms(self) -> float: ...


@dataclass(slots=True)
class SideBySide:
    """What was measured, in the order of rounds.

    `peers` by part (`feast`, `mlserver`, `both`), way of reading the features (none for MLServer alone) and calls in flight;
    `ours` by front and calls in flight; `from_python_ms`, the p50 of our decisions for a caller in Python, by front.
    """

    peers: dict[tuple[str, str, int], list[PeerSample]] = field(default_factory=dict)
    ours: dict[tuple[str, int], list[AnySample]] = field(default_factory=dict)
    from_python_ms: dict[str, list[float]] = field(default_factory=dict)


def peer_figures(fronts: Sequence[str], measured: SideBySide) -> dict[str, Figure]:
    """Every figure, the ratios first; the two without a front's name are those of the first of `fronts`."""
    ratios = {name: figure for front in fronts for name, figure in _ratios(front, measured).items()}
    names = ("p50_vs_peers", "throughput_vs_peers")
    raw = {name: figure for front in fronts for name, figure in _ours(front, measured).items()}
    return {**{name: ratios[f"{fronts[0]}_{name}"] for name in names}, **ratios, **_theirs(measured), **raw}


def _ratios(front: str, measured: SideBySide) -> dict[str, Figure]:
    p50s = _fastest(measured, BOTH, LATENCY_IN_FLIGHT, _p50, min)
    rates = _fastest(measured, BOTH, THROUGHPUT_IN_FLIGHT, _rate, max)
    our_p50s = map(_p50, measured.ours[front, LATENCY_IN_FLIGHT])
    our_rates = map(_rate, measured.ours[front, THROUGHPUT_IN_FLIGHT])
    whole = f"whole decisions of the {front} front; Feast then MLServer, its faster way in each round"
    at_1, at_32 = f"{whole}, {LATENCY_IN_FLIGHT} in flight", f"{whole}, {THROUGHPUT_IN_FLIGHT} in flight"
    python_p50 = _ratio(measured.from_python_ms[front], p50s)
    return {
        f"{front}_p50_vs_peers": Figure(_ratio(our_p50s, p50s), "× p50", at_1),
        f"{front}_p50_vs_peers_from_python": Figure(python_p50, "× p50", f"{at_1}, both called from Python"),
        f"{front}_throughput_vs_peers": Figure(_ratio(our_rates, rates), "× throughput", at_32),
    }


def _ours(front: str, measured: SideBySide) -> dict[str, Figure]:
    p50s = map(_p50, measured.ours[front, LATENCY_IN_FLIGHT])
    rates = map(_rate, measured.ours[front, THROUGHPUT_IN_FLIGHT])
    prefix, title = f"{front}_beside_peers", f"{front}, whole decisions, in the rounds of the peers"
    from_python = Figure(
        _median(measured.from_python_ms[front]), "ms", f"{title}, {LATENCY_IN_FLIGHT} in flight, called from Python"
    )
    return {**_p50_and_rate(prefix, title, p50s, rates), f"{prefix}_from_python_p50_ms": from_python}


def _theirs(measured: SideBySide) -> dict[str, Figure]:
    """Both together and each alone in its fastest way, then both together in each way."""
    figures: dict[str, Figure] = {}
    for part, prefix, title in (
        (BOTH, "peers", "Feast then MLServer, the faster way in each round"),
        (FEAST, "peers_feast", "Feast alone, the faster way in each round"),
        (MLSERVER, "peers_mlserver", "MLServer alone"),
    ):
        p50s = _fastest(measured, part, LATENCY_IN_FLIGHT, _p50, min)
        rates = _fastest(measured, part, THROUGHPUT_IN_FLIGHT, _rate, max)
        figures |= _p50_and_rate(prefix, title, p50s, rates)
    for way in dict.fromkeys(way for part, way, _ in measured.peers if part == BOTH):
        p50s = [sample.p50_ms for sample in measured.peers[BOTH, way, LATENCY_IN_FLIGHT]]
        rates = [sample.per_second for sample in measured.peers[BOTH, way, THROUGHPUT_IN_FLIGHT]]
        figures |= _p50_and_rate(f"peers_{way}", f"Feast ({way}) then MLServer", p50s, rates)
    return figures


def _p50_and_rate(prefix: str, title: str, p50s: Iterable[float], rates: Iterable[float]) -> dict[str, Figure]:
    return {
        f"{prefix}_p50_ms": Figure(_median(p50s), "ms", f"{title}, {LATENCY_IN_FLIGHT} in flight"),
        f"{prefix}_per_second": Figure(_median(rates), "calls/s", f"{title}, {THROUGHPUT_IN_FLIGHT} in flight"),
    }


def _fastest(
    measured: SideBySide,
    part: str,
    in_flight: int,
    value: Callable[[AnySample], float],
    best: Callable[[Iterable[float]], float],
) -> list[float]:
    """Of all ways, the best value of each round."""
    ways = [taken for (a_part, _, at), taken in measured.peers.items() if (a_part, at) == (part, in_flight)]
    return [best(map(value, round_)) for round_ in zip(*ways, strict=True)]


def _rate(sample: AnySample) -> float:
    return sample.per_second


def _p50(sample: AnySample) -> float:
    return sample.p50_ms


def _ratio(ours: Iterable[float], theirs: Iterable[float]) -> float:
    return _median(one / other for one, other in zip(ours, theirs, strict=True))


def _median(values: Iterable[float]) -> float:
    return round(statistics.median(values), 3)
