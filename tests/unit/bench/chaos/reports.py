"""Reports of the load generator, made up."""

from collections.abc import Sequence
from dataclasses import replace

from bench.chaos.reports import Counts, Report

STARTED_S = 1_000_000.0
COUNTS = Counts(
    calls=100,
    ended=100,
    in_time=100,
    late=0,
    failed=0,
    cancelled=0,
    held_back=0,
    broken=0,
    degraded=0,
    foreign=0,
    seconds=1.0,
    per_second=100.0,
    p50_ms=1.0,
    p99_ms=2.0,
    refused_p50_ms=0.0,
    refused_p99_ms=0.0,
    lag_p99_ms=0.1,
    statuses={},
    versions={},
)
WHOLE, DEGRADED = COUNTS, replace(COUNTS, degraded=100)
SILENT = replace(COUNTS, calls=0, ended=0, in_time=0, p99_ms=0.0)


def report(windows: Sequence[Counts] = (), phases: Sequence[Counts] = (), of_all: Counts = COUNTS) -> Report:
    """A load in windows of 100 ms that began at `STARTED_S`."""
    return Report(of_all, phases, windows, 0.1, STARTED_S)
