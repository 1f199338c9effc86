from dataclasses import replace

from bench.decision import IN_FLIGHT, Measured
from bench.decision_figures import figures_of
from bench.loading import Sample

SAMPLE = Sample(1000, 1.0, 3.0, 0, 0.1, 5, 50, 10)
RATIOS = {
    "native_vs_grpcio_throughput",
    "native_vs_grpcio_p50",
    "native_vs_noop",
    "grpcio_vs_noop",
    "grpcio_p50_over_floor",
    "two_process_ratio",
}


def _measured(*fronts: str) -> Measured:
    measured = Measured(floor_ms=[0.25, 0.25], processes={front: [(1000, 1500), (1000, 1700)] for front in fronts})
    for number, front in enumerate(fronts):
        sample = replace(SAMPLE, per_second=SAMPLE.per_second * 10**number, p50_ms=1.0 / (number + 1))
        for name in (*map(str, IN_FLIGHT), "steady", "loaded"):
            measured.samples[front, "decide", name] = [sample, sample]
        for in_flight in IN_FLIGHT:
            measured.samples[front, "noop", str(in_flight)] = [replace(sample, per_second=sample.per_second * 2)] * 2
    return measured


def test_both_fronts_are_compared_with_each_other_and_with_their_own_no_op() -> None:
    figures = figures_of(("native", "grpcio"), _measured("grpcio", "native"))
    assert figures.keys() > RATIOS
    assert figures["native_vs_grpcio_throughput"].value == 10
    assert figures["native_vs_grpcio_p50"].value == 0.5
    assert figures["native_vs_noop"].value == figures["grpcio_vs_noop"].value == 0.5
    assert figures["grpcio_p50_over_floor"].value == 0.8
    assert figures["two_process_ratio"].value == 1.6
    assert figures["grpcio_loaded_p99_over_p50"].value == 3


def test_without_the_native_front_there_is_nothing_to_compare_it_with() -> None:
    figures = figures_of(("grpcio",), _measured("grpcio"))
    assert RATIOS - figures.keys() == {"native_vs_grpcio_throughput", "native_vs_grpcio_p50", "native_vs_noop"}
