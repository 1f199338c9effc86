"""How many events a second enrichers work off: one process, and two of one group, in turn on the same backlog."""

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from bench.freshness.backlog import lasts_ms, write_backlog
from bench.freshness.ground import Enricher, Ground, now_ms, say
from bench.freshness.listeners import write_known_listeners
from bench.processes import ProcessorMeter
from devstack.topics import recreate_topics
from interlude.features.codec import VALUES_MARK
from interlude.features.generation import GENERATION_KEY, Generation, encode_generation

_BEGIN_SHARE: Final = 0.2
"""By then all that Kafka's client had fetched before the start is used up."""
_END_SHARE: Final = 0.9
"""Before the first partition is at its end."""
_HOUR_MS: Final = 3_600_000
_PAUSE_MS: Final = 60_000
_JOIN_SECONDS: Final = 50.0
_LOOK_SECONDS: Final = 0.1
_STALLED_SECONDS: Final = 60.0


class Stalled(Exception):
    """Enrichers that make no progress."""


class TooFewEvents(Exception):
    """A backlog that was worked off before anybody could look twice."""


@dataclass(frozen=True, slots=True)
class Throughput:
    """Events a second of all enrichers together, and how many processors each part kept busy meanwhile."""

    per_second: float
    busy: Mapping[str, float]

    @property
    def enricher_us(self) -> float:
        """Processor time of the enrichers for one event, µs."""
        taken = sum(busy for name, busy in self.busy.items() if name.startswith("enricher"))
        return taken / self.per_second * 1e6


@dataclass(frozen=True, slots=True)
class Rounds:
    """In the order in which they were taken."""

    one: Sequence[Throughput]
    two: Sequence[Throughput]


def measure_throughput(ground: Ground) -> Rounds:
    """Write the backlog, then work it off again and again from the same states."""
    sizes = ground.sizes
    recreate_topics(ground.stack.kafka)
    began_ms = now_ms() - lasts_ms(sizes.backlog, sizes.customers) - _HOUR_MS
    say(f"writing a backlog of {sizes.backlog:,} events")
    write_backlog(ground.stack.kafka, sizes.backlog, sizes.customers, began_ms)
    taken: dict[int, list[Throughput]] = {1: [], 2: []}
    for number in range(sizes.rounds):
        for processes, results in taken.items():
            ground.redis.flushdb()
            # Enrichers join their group once there is one, and could not make it while Redis takes no writes.
            ground.redis.set(GENERATION_KEY, encode_generation(Generation(0, VALUES_MARK, began_ms)))
            write_known_listeners(ground.redis, range(sizes.customers), began_ms - 1)
            result = _work_off(ground, f"bench-{number}-{processes}", processes)
            results.append(result)
            say(f"{processes} process(es): {result.per_second:,.0f} events/s, {result.enricher_us:.1f} µs of CPU each")
    return Rounds(taken[1], taken[2])


def _work_off(ground: Ground, group_id: str, processes: int) -> Throughput:
    """All of them stand at the start with their partitions before the first event counts: until then Redis takes no writes."""
    ground.redis.client_pause(_PAUSE_MS, all=False)
    with ExitStack() as running:
        enrichers = [
            running.enter_context(ground.enricher(f"{group_id}-{number}", group_id)) for number in range(processes)
        ]
        _await_members(ground, group_id, processes)
        ground.redis.client_unpause()
        return _watch(ground, enrichers)


def _await_members(ground: Ground, group_id: str, processes: int) -> None:
    """Until that many members of the group have partitions. Raises `Stalled`."""
    admin = AdminClient({"bootstrap.servers": ground.stack.kafka})
    deadline = time.monotonic() + _JOIN_SECONDS
    while _owners(admin, group_id) != processes:
        if time.monotonic() > deadline:
            raise Stalled(f"{processes} enrichers did not share the partitions within {_JOIN_SECONDS:.0f} s")
        time.sleep(_LOOK_SECONDS)


def _owners(admin: AdminClient, group_id: str) -> int:
    """Members of the group that have partitions; none while Kafka does not know the group yet."""
    try:
        members = admin.describe_consumer_groups([group_id])[group_id].result().members
    except KafkaException:
        return 0
    return sum(1 for member in members if member.assignment and member.assignment.topic_partitions)


def _watch(ground: Ground, enrichers: Sequence[Enricher]) -> Throughput:
    """Events a second between two shares of the backlog. Raises `Stalled`, `TooFewEvents`."""
    backlog = ground.sizes.backlog
    pids = {f"enricher{number}": enricher.process.pid for number, enricher in enumerate(enrichers)}
    seen = _await_seen(enrichers, int(_BEGIN_SHARE * backlog))
    began, meter = time.perf_counter(), ProcessorMeter({**ground.pids(), **pids})
    done = _await_seen(enrichers, int(_END_SHARE * backlog))
    if done == seen:
        raise TooFewEvents(f"a backlog of {backlog:,} events was worked off before its throughput could be measured")
    return Throughput((done - seen) / (time.perf_counter() - began), meter.busy())


def _await_seen(enrichers: Sequence[Enricher], wanted: int) -> int:
    """How many events they are done with, once that is at least `wanted`. Raises `Stalled`."""
    deadline = time.monotonic() + _STALLED_SECONDS
    while (seen := sum(enricher.seen() for enricher in enrichers)) < wanted:
        if time.monotonic() > deadline:
            raise Stalled(f"enrichers were done with {seen:,} of {wanted:,} events after {_STALLED_SECONDS:.0f} s")
        time.sleep(_LOOK_SECONDS)
    return seen
