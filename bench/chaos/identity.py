"""Callers who go away in the middle, connections to Redis that break: nobody gets the answer of somebody else."""

from collections.abc import Sequence
from typing import Final

from bench.chaos.findings import NONE, Finding
from bench.chaos.ground import CAPACITY_IN_FLIGHT, Ground, say
from bench.chaos.reports import Report
from bench.servers import Server
from devstack.faulty_proxy import FaultyProxy, now_and_then
from interlude.client.answers import DEADLINE_MS

CANCELLED_SHARE: Final = 0.1
DISTURBED_SHARE: Final = 0.25
"""Of the calls, made while connections to Redis break and Redis answers late."""
_SLOW_SHARE: Final = 0.002
_RESET_SHARE: Final = 0.002
"""Of the pieces that Redis sends."""
_INTERNAL: Final = 13


def measure(ground: Ground, front: str) -> list[Finding]:
    """Calls on a sound service, then on one whose way to Redis is disturbed."""
    scene = ground.scene
    with scene.service(front) as server:
        reports = [_ask(ground, server, 1 - DISTURBED_SHARE)]
    with (
        FaultyProxy(scene.redis_url) as proxy,
        scene.service(front, DECISION_REDIS_URL=proxy.url) as server,
    ):
        proxy.choice = now_and_then(1, slow=_SLOW_SHARE, reset=_RESET_SHARE)
        reports.append(_ask(ground, server, DISTURBED_SHARE))
    return findings_of(front, reports)


def _ask(ground: Ground, server: Server, share: float) -> Report:
    calls, seconds = round(share * ground.sizes.identity_calls), share * ground.sizes.identity_seconds
    say(server.front, f"identity: {calls:,} calls, {CANCELLED_SHARE:.0%} given up, at most {seconds:.0f} s")
    with ground.generator.closed(
        server, CAPACITY_IN_FLIGHT, seconds, calls=calls, cancel=CANCELLED_SHARE, deadline_ms=DEADLINE_MS
    ) as load:
        return load.report()


def findings_of(front: str, reports: Sequence[Report]) -> list[Finding]:
    """From the reports of all those calls."""
    counts = [report.all for report in reports]
    calls = sum(each.ended for each in counts)
    under = f"{front}, {calls} calls, {CAPACITY_IN_FLIGHT} in flight, resets of Redis in the last quarter"
    foreign = sum(each.foreign for each in counts)
    internal = sum(each.status(_INTERNAL) for each in counts)
    return [
        Finding(f"{front}_identity_foreign", foreign, "answers with another's decision id or score", under, NONE),
        Finding(f"{front}_identity_internal", internal, "calls", under, NONE),
        Finding(f"{front}_identity_broken", sum(each.broken for each in counts), "connections' calls", under, NONE),
        Finding(f"{front}_identity_calls", calls, "calls", under),
        Finding(f"{front}_identity_checked", sum(each.calls for each in counts), "answers", under),
        Finding(f"{front}_identity_cancelled", sum(each.cancelled for each in counts), "calls given up in time", under),
        Finding(f"{front}_identity_late", sum(each.late for each in counts), "calls past their deadline", under),
        Finding(f"{front}_identity_degraded", sum(each.degraded for each in counts), "answers", under),
    ]
