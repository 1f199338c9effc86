"""Redis killed, stopped, slow, or with broken connections, under a steady load: every call is answered in time all the same."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import redis

from bench.chaos.findings import ALL, NONE, Finding
from bench.chaos.ground import Ground, say
from bench.chaos.reports import Report, degraded_share, in_time_share
from bench.servers import Server
from devstack.faulty_proxy import Choice, FaultyProxy, always, now_and_then
from devstack.faulty_proxy import Fault as Fate
from devstack.stack import Part
from interlude.client.answers import DEADLINE_MS

LOAD_SHARE: Final = 0.35
RESET_SHARE: Final = 0.01
"""Of the pieces that Redis sends."""
_SLOW_SECONDS: Final = 0.02
_WINDOW_MS: Final = 100
_LONGEST_SECONDS: Final = 120.0
_WARM_UP_SECONDS: Final = 1.0
_INTERNAL: Final = 13
_SAID: Final = {
    "kill": "Redis killed, and started again with its data",
    "stop": "Redis stopped (SIGSTOP), then continued",
    "slow": f"Redis answers {_SLOW_SECONDS * 1000:.0f} ms later",
    "resets": f"{RESET_SHARE:.0%} of what Redis sends resets the connection",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """How to break something, and how to mend it."""

    name: str
    seconds: float
    begin: Callable[[], None]
    end: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Times:
    """When a fault began and ended, and how long nothing else was broken then; epoch seconds."""

    name: str
    began_s: float
    ended_s: float
    until_s: float


def measure(ground: Ground, front: str) -> list[Finding]:
    """Each fault in turn, some of them between the service and Redis, where a proxy stands."""
    scene = ground.scene
    with scene.service(front) as server:
        findings = _under_load(ground, server, _of_redis(ground))
    with (
        FaultyProxy(scene.redis_url, slow_seconds=_SLOW_SECONDS) as proxy,
        scene.service(front, DECISION_REDIS_URL=proxy.url) as server,
    ):
        return findings + _under_load(ground, server, _of_the_way(ground, proxy))


def _of_redis(ground: Ground) -> list[Fault]:
    stack, sizes = ground.scene.stack, ground.sizes
    with redis.Redis.from_url(stack.redis) as client:
        client.save()  # what a killed one finds when it is started again; else everybody would be unknown
    return [
        Fault("kill", sizes.down_seconds, lambda: stack.kill(Part.REDIS), lambda: stack.restart(Part.REDIS)),
        Fault("stop", sizes.pause_seconds, lambda: stack.pause(Part.REDIS), lambda: stack.resume(Part.REDIS)),
    ]


def _of_the_way(ground: Ground, proxy: FaultyProxy) -> list[Fault]:
    def choose(choice: Choice) -> Callable[[], None]:
        return lambda: setattr(proxy, "choice", choice)

    seconds, heal = ground.sizes.fault_seconds, choose(always(Fate.NONE))
    return [
        Fault("slow", seconds, choose(always(Fate.SLOW)), heal),
        Fault("resets", seconds, choose(now_and_then(1, slow=0, reset=RESET_SHARE)), heal),
    ]


def _under_load(ground: Ground, server: Server, faults: Sequence[Fault]) -> list[Finding]:
    rate, calm = LOAD_SHARE * ground.capacity(server), ground.sizes.calm_seconds
    pause = threading.Event()
    times: list[Times] = []
    with ground.generator.open(server, [rate], [_LONGEST_SECONDS], window_ms=_WINDOW_MS, until_told=True) as load:
        pause.wait(_WARM_UP_SECONDS + calm)
        for fault in faults:
            say(server.front, f"redis: {fault.name} for {fault.seconds:g} s at {rate:,.0f}/s")
            began_s = time.time()
            fault.begin()
            try:
                pause.wait(fault.seconds)
            finally:
                fault.end()
            ended_s = time.time()
            pause.wait(calm)
            times.append(Times(fault.name, began_s, ended_s, time.time()))
        report = load.report()
    return findings_of(server.front, rate, report, times)


def findings_of(front: str, rate: float, report: Report, faults: Sequence[Times]) -> list[Finding]:
    """From the report of a load during which there were `faults`, one after the other."""
    under = f"{front}, {rate:.0f} calls/s, deadline {DEADLINE_MS} ms"
    before = report.between(report.started_s, faults[0].began_s)[:-1]
    first = f"{front}_redis_before_{faults[0].name}"
    findings = [
        Finding(f"{first}_in_time_share", in_time_share(before), "of all calls", f"{under}, nothing broken yet")
    ]
    for fault in faults:
        whole = report.between(fault.began_s, fault.until_s)
        name, during = f"{front}_redis_{fault.name}", f"{under}, {_SAID[fault.name]}"
        recovery_seconds = report.seconds_until_whole(fault.ended_s, fault.until_s)
        degraded = degraded_share(report.between(fault.began_s, fault.ended_s))
        in_time = in_time_share(whole)
        missed = sum(window.ended - window.in_time for window in whole)
        internal = sum(window.status(_INTERNAL) for window in whole)
        findings += [
            Finding(f"{name}_in_time_share", in_time, f"of all calls; {missed} were not", during, ALL),
            Finding(f"{name}_internal", internal, "calls", during, NONE),
            Finding(f"{name}_degraded_share", degraded, "of the answers meanwhile", during),
            Finding(f"{name}_recovery_seconds", recovery_seconds, "s until answers are FULL again", during),
        ]
    return findings
