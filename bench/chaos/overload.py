"""Twice as many calls as can be answered: those that are taken are answered in time, the others refused at once.

Twice: by callers who ask whatever they are told, and by such as hold back while too many are refused, as our own clients do
(`interlude/client/throttling.py`).
"""

import threading
from collections.abc import Mapping
from typing import Final

from bench.chaos.findings import NONE, Finding, Goal, Relation
from bench.chaos.ground import Ground, say
from bench.chaos.reports import Report
from bench.processes import ProcessorMeter
from bench.servers import Server
from devstack.stack import Part

NORMAL_SHARE: Final = 0.6
NORMAL_AGAIN: Final = 1.5
"""Times the p99 before the overload; up to that, it is back to normal."""
_WINDOW_MS: Final = 500
_REFUSED: Final = (8, 1)
"""RESOURCE_EXHAUSTED, and CANCELLED, which is how grpcio's core refuses calls."""
_INTERNAL: Final = 13


def measure(ground: Ground, front: str) -> list[Finding]:
    """A normal load, twice the capacity, the normal load again."""
    findings = []
    for throttle in (False, True):
        with ground.scene.service(front) as server:
            capacity = ground.capacity(server)
            report, busy = _under_load(ground, server, capacity, throttle=throttle)
        findings += findings_of(front, report, capacity, ground.sizes.overload_share, busy, throttle=throttle)
    return findings


def _under_load(
    ground: Ground, server: Server, capacity: float, *, throttle: bool
) -> tuple[Report, Mapping[str, float]]:
    """The report, and the processors that were busy during the overload."""
    scene, sizes, pause = ground.scene, ground.sizes, threading.Event()
    seconds = (sizes.normal_seconds, sizes.overload_seconds, sizes.after_seconds)
    rates = [share * capacity for share in (NORMAL_SHARE, sizes.overload_share, NORMAL_SHARE)]
    steps = ", then ".join(f"{rate:,.0f}/s for {length:g} s" for rate, length in zip(rates, seconds, strict=True))
    say(server.front, f"overload{', callers hold back' if throttle else ''}: {steps}")
    with ground.generator.open(server, rates, seconds, window_ms=_WINDOW_MS, throttle=throttle) as load:
        pids = {"service": server.pid, "redis": scene.redis_pid, "generator": load.pid}
        pids["kafka"] = scene.stack.process(Part.KAFKA).pid
        # Well inside the overload, which begins when the warm-up is over.
        pause.wait(seconds[0] + 0.2 * seconds[1])
        meter = ProcessorMeter(pids)
        pause.wait(0.6 * seconds[1])
        busy = meter.busy()
        return load.report(), busy


def findings_of(
    front: str, report: Report, capacity: float, share: float, busy: Mapping[str, float], *, throttle: bool
) -> list[Finding]:
    """From the report of the three phases, the second at `share` of `capacity`; `busy` are processors during it, by
    process."""
    normal, overload, _ = report.phases
    recovery_seconds = report.seconds_until_normal(normal.seconds + overload.seconds, NORMAL_AGAIN * normal.p99_ms)
    under = f"{front}, {share:g} × capacity ({capacity:.0f}/s) for {overload.seconds:.0f} s, open loop"
    name_of_load = "throttled_overload" if throttle else "overload"
    if throttle:
        under += ", callers hold back while too many are refused"
    ended = max(1, overload.ended)
    findings = [
        ("goodput_share", overload.in_time / overload.seconds / capacity, "× capacity", Goal(Relation.AT_LEAST, 0.9)),
        ("p99_ratio", overload.p99_ms / normal.p99_ms, "× p99 at 60 %, accepted calls", Goal(Relation.AT_MOST, 3)),
        ("refused_p50_ms", overload.refused_p50_ms, "ms", Goal(Relation.BELOW, 2)),
        ("refused_p99_ms", overload.refused_p99_ms, "ms", None),
        ("recovery_seconds", recovery_seconds, "s at 60 % until p99 is back", Goal(Relation.AT_MOST, 5)),
        ("internal", overload.status(_INTERNAL), "calls", NONE),
        ("accepted_p99_ms", overload.p99_ms, "ms", None),
        ("normal_p99_ms", normal.p99_ms, "ms, before, at 60 %", None),
        ("refused_share", sum(map(overload.status, _REFUSED)) / ended, "of all calls", None),
        ("held_back_share", overload.held_back / ended, "of all calls, never made", None),
        ("late_share", overload.late / ended, "of all calls, past their deadline", None),
        ("broken", overload.broken, "calls whose connection failed", None),
        ("lag_p99_ms", overload.lag_p99_ms, "ms that the load itself came late", None),
        *((f"{name}_processors", value, "processors busy", None) for name, value in busy.items()),
    ]
    return [Finding(f"{front}_{name_of_load}_{name}", value, unit, under, goal) for name, value, unit, goal in findings]
