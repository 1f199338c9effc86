"""Redis and Kafka that hang, die and come back while events flow: enrichers go on by themselves, with all of it, in bounded
memory."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import redis

from bench.chaos.enricher.expected import Difference, compare, expect
from bench.chaos.enricher.history import Source, history
from bench.chaos.enricher.members import FETCHED_KIB, Members, Progress
from bench.chaos.findings import NONE, Finding, Goal, Relation
from bench.chaos.ground import say
from bench.chaos.sizes import EnricherSizes
from bench.processes import resident_mib
from devstack.stack import Part, Stack

SEED: Final = 2015
GROUP_ID: Final = "outages"
MEMBERS: Final = 2
GROWTH_MIB: Final = 64.0
"""Resident memory that one enricher may take beyond what it had before the first outage: what is fetched ahead, in each of its
forms, and one batch of 10,000 records with the states of their listeners, before and after."""
_LONGEST_EVENTS: Final = 10_000_000
_SEND_EVERY_SECONDS: Final = 0.05
_SAMPLE_SECONDS: Final = 0.1
_SAID: Final = {
    "redis_stop": "Redis stopped (SIGSTOP), then continued",
    "kafka_stop": "Kafka stopped (SIGSTOP), then continued",
    "kafka_kill": "Kafka killed, and started again with its data",
    "redis_kill": "Redis killed, and started again with its append-only file",
}


@dataclass(frozen=True, slots=True)
class Outage:
    """How to break something, for how long, and how to mend it."""

    name: str
    seconds: float
    begin: Callable[[], None]
    end: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Recovery:
    """What became of an outage: from its end until all that was sent up to then was committed."""

    name: str
    down_seconds: float
    recovery_seconds: float


def outages_of(stack: Stack, sizes: EnricherSizes) -> list[Outage]:
    """Each of them, one after the other."""
    down = sizes.down_seconds
    return [
        Outage("redis_stop", sizes.redis_stop_seconds, *_pause(stack, Part.REDIS)),
        Outage("kafka_stop", sizes.kafka_stop_seconds, *_pause(stack, Part.KAFKA)),
        Outage("kafka_kill", down, *_kill(stack, Part.KAFKA)),
        Outage("redis_kill", down, *_kill(stack, Part.REDIS)),
    ]


def _pause(stack: Stack, part: Part) -> tuple[Callable[[], None], Callable[[], None]]:
    return lambda: stack.pause(part), lambda: stack.resume(part)


def _kill(stack: Stack, part: Part) -> tuple[Callable[[], None], Callable[[], None]]:
    return lambda: stack.kill(part), lambda: stack.restart(part)


def measure(stack: Stack, sizes: EnricherSizes) -> list[Finding]:
    """Events flow, everything breaks in turn, and Redis ends as if nothing had been. Needs a stack with a durable Redis."""
    members, progress = Members(stack, GROUP_ID), Progress(stack.kafka, GROUP_ID)
    flow = Flow(Source(stack.kafka, history(sizes.customers, _LONGEST_EVENTS, SEED)), sizes.events_per_second)
    pids = [members.launch().pid for _ in range(MEMBERS)]
    pause = threading.Event()
    try:
        for member in members.alive:
            member.wait_until_ready()
        flow.start()
        progress.reach(sizes.customers, members.require_alive)
        pause.wait(sizes.calm_seconds)
        recoveries = []
        with Memory(pids) as memory:
            for outage in outages_of(stack, sizes):
                recoveries.append(_endure(outage, sizes, flow, progress, members))
                pause.wait(sizes.calm_seconds)
        sent = flow.stop()
        progress.reach(sent, members.require_alive)
        for member in list(members.alive):
            members.stop(member)
    finally:
        flow.stop()
        members.end()
        progress.close()
    expected = expect(stack.kafka)
    with redis.Redis.from_url(stack.redis) as client:
        return findings_of(sizes, recoveries, memory, expected.records, compare(expected, client, stack.kafka))


def _endure(outage: Outage, sizes: EnricherSizes, flow: "Flow", progress: Progress, members: Members) -> Recovery:
    say("", f"enricher: {_SAID[outage.name]}, {outage.seconds:g} s")
    began = time.monotonic()
    outage.begin()
    try:
        flow.add(sizes.burst_events)
        threading.Event().wait(outage.seconds)
    finally:
        outage.end()
    down_seconds, ended = time.monotonic() - began, time.monotonic()
    progress.reach(flow.sent, members.require_alive)
    return Recovery(outage.name, down_seconds, time.monotonic() - ended)


class Flow:
    """Sends a history at a steady rate from a thread of its own."""

    def __init__(self, source: Source, per_second: float) -> None:
        self._source = source
        self._per_second = per_second
        self._extra = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="flow", daemon=True)

    @property
    def sent(self) -> int:
        """Records so far."""
        return self._source.sent

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def add(self, records: int) -> None:
        """So many more, at once."""
        self._extra += records

    def stop(self) -> int:
        """Send no more; returns how many records are in Kafka."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        return self._source.sent

    def _run(self) -> None:
        began = time.monotonic()
        due = 0.0
        while not self._ended.wait(_SEND_EVERY_SECONDS):
            extra, self._extra = self._extra, 0
            due += extra
            self._source.send(round(due + (time.monotonic() - began) * self._per_second) - self._source.sent)
        self._source.flush()


class Memory:
    """Watches the resident memory of processes for the length of a block."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._pids = pids
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="memory", daemon=True)
        self.before_mib = [resident_mib(pid) for pid in pids]
        self.highest_mib = list(self.before_mib)
        self.after_mib = list(self.before_mib)

    def __enter__(self) -> "Memory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def growth_mib(self) -> float:
        """Of the one that grew most, at its highest."""
        return max(highest - before for before, highest in zip(self.before_mib, self.highest_mib, strict=True))

    def _run(self) -> None:
        while not self._ended.wait(_SAMPLE_SECONDS):
            self.after_mib = [resident_mib(pid) for pid in self._pids]
            self.highest_mib = list(map(max, self.highest_mib, self.after_mib))


def findings_of(
    sizes: EnricherSizes, recoveries: Sequence[Recovery], memory: Memory, records: int, difference: Difference
) -> list[Finding]:
    """From how it went and what Redis held in the end."""
    under = (
        f"{sizes.events_per_second:g} events/s and {sizes.burst_events} more during each outage, {MEMBERS} enrichers"
    )
    findings = [
        Finding(
            f"enricher_{each.name}_recovery_seconds",
            each.recovery_seconds,
            "s until all that was sent is folded and committed",
            f"{under}; {_SAID[each.name]}, {each.down_seconds:.1f} s",
        )
        for each in recoveries
    ]
    growth = Goal(Relation.AT_MOST, GROWTH_MIB)
    fetched = f"{under}; at most {FETCHED_KIB} KiB fetched ahead"
    before, after = max(memory.before_mib), max(memory.after_mib)
    return [
        *findings,
        Finding("enricher_outages_lost", difference.lost, "events that are not in their state", under, NONE),
        Finding("enricher_outages_applied_twice", difference.twice, "events in their state twice", under, NONE),
        Finding("enricher_outages_differing", difference.values, "values that are not the oracle's", under, NONE),
        Finding("enricher_outages_interests_lost", difference.interests_lost, "interests", under, NONE),
        Finding("enricher_outages_events", records, "events in Kafka", under),
        Finding(
            "enricher_outages_memory_growth_mib", memory.growth_mib, "MiB resident at the highest", fetched, growth
        ),
        Finding("enricher_outages_memory_before_mib", before, "MiB resident", fetched),
        Finding("enricher_outages_memory_after_mib", after, "MiB resident", fetched),
    ]
