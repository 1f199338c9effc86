"""What a run comes to: figures with their goals, and under what they were taken."""

import statistics
from collections.abc import Iterable, Sequence
from typing import Final

from bench.chaos.findings import ALL, NONE, Finding, Goal, Relation
from bench.freshness.beside_spark import SideBySide
from bench.freshness.runs import Run
from bench.freshness.sizes import Sizes
from bench.freshness.spark_ways import Way
from bench.freshness.throughput import Rounds, Throughput
from services.enricher.settings import EnricherSettings

_P50: Final = Goal(Relation.AT_MOST, 3)
_P99: Final = Goal(Relation.AT_MOST, 20)
_OF_SPARK: Final = Goal(Relation.AT_MOST, 0.1)
_PER_SECOND: Final = Goal(Relation.AT_LEAST, 30_000)
_TWO: Final = Goal(Relation.AT_LEAST, 1.6)
_WAYS: Final = {
    Way.STATEFUL: (
        "spark_microbatch",
        "Spark 4.2, micro-batches as fast as they go, the enricher's own fold in applyInPandasWithState, foreachBatch to Redis",
    ),
    Way.STATELESS: (
        "spark_stateless",
        "Spark 4.2, micro-batches as fast as they go, no state at all: decoded and written to Redis in mapInArrow",
    ),
    Way.REAL_TIME: (
        "spark_real_time",
        "Spark 4.2, real-time mode, no state at all: Python's foreach writes to Redis",
    ),
}


def freshness_findings(sizes: Sizes, side_by_side: SideBySide) -> list[Finding]:
    """How long listens take, by the enricher and by Spark."""
    ours = side_by_side.ours
    load = f"{sizes.per_second:,} listens/s of {sizes.customers:,} listeners with 100 kept listens"
    timed = f"{load}; each of {ours.measured:,}, from when it was due to when it was read in Redis"
    found = [
        Finding("p50_ms", ours.p50_ms, "ms", timed, _P50),
        Finding("p99_ms", ours.p99_ms, "ms", timed, _P99),
        Finding("p999_ms", ours.p999_ms, "ms", timed),
        Finding("lost", ours.lost, "listens", timed, NONE),
        Finding(
            "player_late_p99_ms", ours.player_late_p99_ms, "ms", "in p99_ms: how late the players' process produced"
        ),
        Finding("steady_interests", side_by_side.interests, "interests", f"found and told, warm-up included; {load}"),
        *(Finding(f"steady_{name}_cpu", busy, "processors", load) for name, busy in sorted(ours.busy.items())),
    ]
    for way, (name, doc) in _WAYS.items():
        if way in side_by_side.spark:
            found += _of_spark(name, f"{load}; {doc}", ours, side_by_side.spark[way])
        else:
            found.append(Finding(f"{name}_runs", 0, "0 no, 1 yes", f"{doc}: {side_by_side.refused[way]}"))
    if Way.STATEFUL in side_by_side.spark:
        under = "listeners whose f: by Spark with state equals the enricher's, byte for byte"
        found.append(Finding("spark_equal_share", side_by_side.equal_share, "share", under, ALL))
    return found


def _of_spark(name: str, under: str, ours: Run, theirs: Run) -> list[Finding]:
    raw = f"enricher {ours.p99_ms:.1f} ms, Spark {theirs.p99_ms:.1f} ms, one after the other in one run"
    return [
        Finding(f"{name}_p50_ms", theirs.p50_ms, "ms", under),
        Finding(f"{name}_p99_ms", theirs.p99_ms, "ms", under),
        Finding(f"{name}_lost", theirs.lost, "listens", f"of {theirs.measured:,}; {under}"),
        Finding(f"p99_vs_{name}", ours.p99_ms / theirs.p99_ms, "ratio", raw, _OF_SPARK),
    ]


def throughput_findings(sizes: Sizes, rounds: Rounds) -> list[Finding]:
    """How many events a second, and what they cost."""
    load = (
        f"a backlog of {sizes.backlog:,} events of {sizes.customers:,} listeners with 100 kept listens, 2 % ad events; who is in a "
        f"batch several times is written once: batches of up to {EnricherSettings.model_fields['batch_records'].default:,}"
    )
    ratios = [two.per_second / one.per_second for one, two in zip(rounds.one, rounds.two, strict=True)]
    return [
        Finding(
            "events_per_second", _median(rounds.one), "events/s", f"{load}; rounds {_raw(rounds.one)}", _PER_SECOND
        ),
        Finding("two_process_events_per_second", _median(rounds.two), "events/s", f"{load}; rounds {_raw(rounds.two)}"),
        Finding(
            "two_process_ratio",
            statistics.median(ratios),
            "ratio",
            f"two processes to one; rounds {', '.join(f'{ratio:.2f}' for ratio in ratios)}",
            _TWO,
        ),
        Finding(
            "event_cpu_us", statistics.median(one.enricher_us for one in rounds.one), "µs", f"of the enricher; {load}"
        ),
        *_busy("one_process", rounds.one),
        *_busy("two_processes", rounds.two),
    ]


def _busy(name: str, taken: Sequence[Throughput]) -> Iterable[Finding]:
    for part in taken[0].busy:
        busy = statistics.median(result.busy[part] for result in taken)
        yield Finding(f"{name}_{part}_cpu", busy, "processors", f"busy while events_per_second was taken: {name}")


def _median(taken: Sequence[Throughput]) -> float:
    return statistics.median(result.per_second for result in taken)


def _raw(taken: Sequence[Throughput]) -> str:
    return ", ".join(f"{result.per_second:,.0f}" for result in taken)
