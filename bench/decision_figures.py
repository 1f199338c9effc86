"""From the samples of the decision service to figures: ratios within a round, then their median."""

import statistics
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

from bench.loading import Sample
from bench.measured import Figure

_REFERENCE: Final = "32"


class Samples(Protocol):
    """What was measured."""

    @property
    def samples(self) -> dict[tuple[str, str, str], list[Sample]]: ...
    @property
    def floor_ms(self) -> list[float]: ...
    @property
    def benchmark_ms(self) -> list[float]: ...
    @property
    def processes(self) -> dict[str, list[tuple[float, float]]]: ...


def figures_of(fronts: Sequence[str], measured: Samples) -> dict[str, Figure]:
    """Every figure, the ratios first."""
    return {
        **(_between_fronts(measured) if len(fronts) > 1 else {}),
        **_floor(measured),
        **_processes(measured),
        **{name: figure for front in fronts for name, figure in _against_noop(front, measured).items()},
        **{name: figure for front in fronts for name, figure in _loaded(front, measured).items()},
        **_absolutes(measured),
    }


def _between_fronts(measured: Samples) -> dict[str, Figure]:
    at_32, at_1 = f"grpcio, {_REFERENCE} in flight, whole decisions", "grpcio, 1 in flight, whole decisions"
    native, grpcio = (measured.samples[front, "decide", _REFERENCE] for front in ("native", "grpcio"))
    lone_native, lone_grpcio = (measured.samples[front, "decide", "1"] for front in ("native", "grpcio"))
    return {
        "native_vs_grpcio_throughput": Figure(_ratio(native, grpcio, _rate), "× throughput", at_32),
        "native_vs_grpcio_p50": Figure(_ratio(lone_native, lone_grpcio, _p50), "× p50", at_1),
    }


def _against_noop(front: str, measured: Samples) -> dict[str, Figure]:
    figures = {}
    names = [name for a_front, method, name in measured.samples if (a_front, method) == (front, "noop")]
    for name in names:
        decide, noop = (measured.samples[front, method, name] for method in ("decide", "noop"))
        against = f"a no-op answered by the {front} front, same process, {name} in flight"
        figures[f"{front}_vs_noop_{name}"] = Figure(_ratio(decide, noop, _rate), "× throughput", against)
        figures[f"{front}_p50_over_noop_{name}"] = Figure(_ratio(decide, noop, _p50), "× p50", against)
        cpu = _ratio(noop, decide, lambda sample: sample.server_cpu_us)
        figures[f"{front}_vs_noop_cpu_{name}"] = Figure(cpu, "× calls per server CPU second", against)
    return {f"{front}_vs_noop": figures[f"{front}_vs_noop_{_REFERENCE}"], **figures}


def _floor(measured: Samples) -> dict[str, Figure]:
    decide, noop = (measured.samples["grpcio", method, "1"] for method in ("decide", "noop"))
    rounds = zip(decide, noop, measured.floor_ms, strict=True)
    over = statistics.median(one.p50_ms / (none.p50_ms + read_ms) for one, none, read_ms in rounds)
    against = "no-op p50 and one bare read of Redis on a held connection, 1 in flight"
    figures = {
        "grpcio_p50_over_floor": Figure(round(over, 3), "× p50", against),
        "redis_read_p50_ms": Figure(_median(measured.floor_ms), "ms", "MGET of a listener's two keys, from Python"),
    }
    if measured.benchmark_ms:
        benchmark = Figure(_median(measured.benchmark_ms), "ms", "the same MGET, from Redis' own benchmark")
        figures["redis_benchmark_p50_ms"] = benchmark
    return figures


def _processes(measured: Samples) -> dict[str, Figure]:
    figures = {}
    for front, taken in measured.processes.items():
        ratio = _median([together / alone for alone, together in taken])
        against = f"one process of the {front} front, each with {_REFERENCE} in flight"
        figures[f"{front}_two_process_ratio"] = Figure(ratio, "× throughput", against)
    first = next(iter(figures.values()))  # of the native front, where it is there
    return {"two_process_ratio": first, **figures}


def _loaded(front: str, measured: Samples) -> dict[str, Figure]:
    """The two open loops."""
    figures = {}
    prefixes = {"loaded": f"{front}_loaded", "steady": "steady" if front == "grpcio" else f"{front}_steady"}
    for name, prefix in prefixes.items():
        taken = measured.samples[front, "decide", name]
        against = f"{front}, open loop, {_median(map(_rate, taken)):.0f} calls/s, from the intended time"
        lost = sum(sample.late_or_failed for sample in taken)
        figures[f"{prefix}_p50_ms"] = Figure(_median(map(_p50, taken)), "ms", against)
        figures[f"{prefix}_p99_ms"] = Figure(_median(sample.p99_ms for sample in taken), "ms", against)
        figures[f"{prefix}_late_or_failed"] = Figure(lost, "calls", against)
        spread = _median(sample.p99_ms / sample.p50_ms for sample in taken)
        figures[f"{prefix}_p99_over_p50"] = Figure(spread, "× p50", against)
    return figures


def _absolutes(measured: Samples) -> dict[str, Figure]:
    figures = {}
    for (front, method, name), taken in measured.samples.items():
        load = f"{name} in flight" if name.isdigit() else f"open loop, {name}"
        against = f"{front}, {load}, client on the same machine"
        prefix = f"{front}_{method}"
        figures[f"{prefix}_per_second_{name}"] = Figure(_median(map(_rate, taken)), "calls/s", against)
        figures[f"{prefix}_p50_ms_{name}"] = Figure(_median(map(_p50, taken)), "ms", against)
        figures[f"{prefix}_p99_ms_{name}"] = Figure(_median(sample.p99_ms for sample in taken), "ms", against)
        for part in ("client", "server", "redis"):
            cpu = _median(getattr(sample, f"{part}_cpu_us") for sample in taken)
            figures[f"{prefix}_{part}_cpu_us_{name}"] = Figure(cpu, f"µs of {part} CPU a call", against)
    return figures


def _rate(sample: Sample) -> float:
    return sample.per_second


def _p50(sample: Sample) -> float:
    return sample.p50_ms


def _ratio(ours: Sequence[Sample], theirs: Sequence[Sample], value: Callable[[Sample], float]) -> float:
    return _median(value(one) / value(other) for one, other in zip(ours, theirs, strict=True))


def _median(values: Iterable[float]) -> float:
    return round(statistics.median(values), 3)
