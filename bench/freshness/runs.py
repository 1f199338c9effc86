"""One run at a steady rate: somebody brings listens from Kafka to Redis, and every one of them is timed."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.freshness.ground import Ground, now_ms
from bench.freshness.notifications import KeyNotifications
from bench.freshness.schedule import Schedule
from bench.freshness.sending import open_producer, try_send
from bench.freshness.watching import Watch, watch_all
from bench.processes import ProcessorMeter
from devstack.process import ChildProcess

_OPENING_LISTENS: Final = 240
_OPENING_EVERY_SECONDS: Final = 1.0
_READY_SECONDS: Final = 60.0
_LATE_SECONDS: Final = 60
"""How long after the last listen somebody who is behind is waited for."""


class NothingArrived(Exception):
    """No listen came through to Redis, so there is nothing to measure."""


@dataclass(frozen=True, slots=True)
class Run:
    """What was measured of `measured` listens, ms. `lost` never arrived; they count with the time that they were waited for."""

    p50_ms: float
    p99_ms: float
    p999_ms: float
    measured: int
    lost: int
    player_late_p99_ms: float
    busy: Mapping[str, float]

    def __str__(self) -> str:
        return f"p50 {self.p50_ms:.2f}, p99 {self.p99_ms:.2f}, p99.9 {self.p999_ms:.2f} ms of {self.measured:,}, {self.lost} lost"


def run(
    ground: Ground,
    name: str,
    key_prefix: str,
    first_customer: int,
    pids: Mapping[str, int],
    check: Callable[[], None] = lambda: None,
) -> Run:
    """Time all listens of a schedule until `key_prefix` + "f:{id}" includes them. `check` raises when there is no use in
    waiting for the first. Raises `NothingArrived`."""
    sizes = ground.sizes
    plan = Schedule(
        first_customer=first_customer,
        customers=sizes.customers,
        per_second=sizes.per_second,
        listens=sizes.per_second * (sizes.warm_up_seconds + sizes.seconds),
        warm_up=sizes.per_second * sizes.warm_up_seconds,
        began_ns=0,
        began_ms=0,
    )
    settings = {"kafka": ground.stack.kafka, "schedule": plan.to_json()}
    with KeyNotifications(ground.stack.redis, f"{key_prefix}f:") as writes:
        _await_first(ground, writes, first_customer + sizes.customers, check)
        with ground.program(f"{name}-player", "bench.freshness.playing", settings) as (player, report):
            player.wait_ready(report.exists, _READY_SECONDS)
            schedule = Schedule(**json.loads(report.read_text())["schedule"])
            meter = ProcessorMeter({**ground.pids(), **pids})
            watch = Watch(schedule)
            watch_all(watch, writes, ground.read, schedule.due_ns(schedule.listens) + _LATE_SECONDS * 10**9)
            lost = watch.give_up()
            return _to_run(watch, lost, _lateness(player, report), meter.busy())


def _await_first(ground: Ground, writes: KeyNotifications, customer_id: int, check: Callable[[], None]) -> None:
    """Play a track of somebody whom nobody times, now and then, until one is in Redis: whoever brings it there is at work."""
    listens = Schedule(customer_id, 1, 1, _OPENING_LISTENS, 0, 0, now_ms())
    with open_producer(ground.stack.kafka) as producer:
        for number in range(_OPENING_LISTENS):
            check()
            try_send(producer, listens.listen(number))
            if writes.wait(_OPENING_EVERY_SECONDS):
                return
    raise NothingArrived(f"no listen was in Redis after {_OPENING_LISTENS * _OPENING_EVERY_SECONDS:.0f} s")


def _lateness(player: ChildProcess, report: Path) -> float:
    player.wait(_READY_SECONDS)
    return float(json.loads(report.read_text())["late_p99_ms"])


def _to_run(watch: Watch, lost: int, late_p99_ms: float, busy: Mapping[str, float]) -> Run:
    p50_ms, p99_ms, p999_ms = (watch.percentile_ms(share) for share in (0.5, 0.99, 0.999))
    return Run(p50_ms, p99_ms, p999_ms, watch.measured, lost, late_p99_ms, busy)
