"""From reports to findings."""

from dataclasses import dataclass, replace

from bench.chaos import identity, overload, redis_faults, swaps
from bench.chaos.findings import Finding
from bench.chaos.ground import sustained
from bench.chaos.redis_faults import Times
from devstack.bad_models import BAD_MODELS
from tests.unit.bench.chaos.reports import COUNTS, DEGRADED, STARTED_S, WHOLE, report


def _values(findings: list[Finding], prefix: str) -> dict[str, float]:
    return {finding.name.removeprefix(prefix): finding.value for finding in findings}


def test_goodput_is_what_was_answered_in_time_of_what_could_be() -> None:
    normal = replace(COUNTS, seconds=0.2, p99_ms=2.0)
    flooded = replace(
        COUNTS,
        calls=110,
        ended=240,
        in_time=90,
        seconds=0.3,
        p99_ms=5.0,
        refused_p50_ms=0.5,
        late=12,
        statuses={"8": 120, "4": 12},
    )
    slow = replace(COUNTS, p99_ms=9.0)
    windows = [WHOLE, WHOLE, slow, slow, slow, slow, replace(COUNTS, p99_ms=3.0)]
    of_load = report(windows, [normal, replace(flooded, held_back=24), normal])
    for throttle, name in ((False, "native_overload_"), (True, "native_throttled_overload_")):
        findings = overload.findings_of("native", of_load, 300.0, 2.0, {"service": 1.5}, throttle=throttle)
        assert _values(findings, name)["held_back_share"] == 0.1
    values = _values(findings, "native_throttled_overload_")
    assert values["goodput_share"] == 1.0
    assert values["p99_ratio"] == 2.5
    assert values["refused_p50_ms"] == 0.5
    assert values["refused_share"] == 0.5
    assert values["late_share"] == 0.05
    assert round(values["recovery_seconds"], 6) == 0.2
    assert values["service_processors"] == 1.5


def test_each_fault_is_seen_by_itself() -> None:
    failing = replace(COUNTS, ended=200, statuses={"13": 3})
    windows = [WHOLE] * 10 + [DEGRADED] * 10 + [WHOLE] * 15 + [failing] * 10 + [WHOLE] * 15
    faults = [
        Times("stop", STARTED_S + 1, STARTED_S + 2, STARTED_S + 3.5),
        Times("kill", STARTED_S + 3.5, STARTED_S + 4.5, STARTED_S + 6),
    ]
    values = _values(redis_faults.findings_of("grpcio", 1000, report(windows), faults), "grpcio_redis_")
    assert values["before_stop_in_time_share"] == 1
    assert (values["stop_in_time_share"], values["stop_internal"], values["stop_degraded_share"]) == (1, 0, 1)
    assert values["stop_recovery_seconds"] == 0
    assert (values["kill_in_time_share"], values["kill_internal"], values["kill_degraded_share"]) == (
        2500 / 3500,
        30,
        0,
    )


def test_whoever_got_the_wrong_answer_is_counted_over_all_calls() -> None:
    sound = report(of_all=replace(COUNTS, foreign=1, cancelled=10, ended=110))
    disturbed = report(of_all=replace(COUNTS, foreign=2, degraded=5, statuses={"13": 1}))
    values = _values(identity.findings_of("native", [sound, disturbed]), "native_identity_")
    assert (values["foreign"], values["internal"], values["cancelled"]) == (3, 1, 10)
    assert (values["calls"], values["checked"], values["degraded"]) == (210, 200, 5)


@dataclass(frozen=True)
class _Swapped:
    promoted: list[str]
    seconds: list[float]
    refused: int


def test_answers_of_a_model_that_was_never_promoted_are_counted() -> None:
    counts = replace(COUNTS, failed=2, versions={"a": 50, "b": 40, "x": 7, "": 3})
    swapped = _Swapped(["a", "b", "c"], [0.1, 0.3], refused=20)
    failing = replace(COUNTS, failed=25)
    load = report([WHOLE] * 3 + [failing] * 5, of_all=replace(counts, seconds=0.8))
    findings = swaps.findings_of("native", 1000, load, swapped, (100.0, 104.0), STARTED_S + 0.35)
    values = _values(findings, "native_swaps_")
    assert (values["failed"], values["unknown_versions"], values["served_versions"]) == (2, 7, 2)
    assert (values["failed_share_before"], values["failed_share"]) == (0, 0.25)
    assert (values["memory_growth"], values["memory_growth_mib"]) == (0.04, 4)
    assert (values["serves_after_p50_seconds"], values["serves_after_max_seconds"]) == (0.2, 0.3)


def test_bad_kinds_come_from_all_along_the_list() -> None:
    kinds = swaps.bad_kinds(20)
    places = [list(BAD_MODELS).index(kind) for kind in kinds]
    assert len(set(kinds)) == 20
    assert places == sorted(places)
    assert places[-1] >= len(BAD_MODELS) - 3


def test_a_front_sustains_what_it_answers_in_time_up_to_the_first_rate_that_it_does_not() -> None:
    late = replace(COUNTS, in_time=98)
    assert sustained([10.0, 20.0, 30.0, 40.0], [COUNTS, replace(COUNTS, in_time=99), late, COUNTS]) == 20
    assert sustained([10.0, 20.0], [late, COUNTS]) == 10
    assert sustained([10.0, 20.0], [COUNTS, COUNTS]) == 20
