"""Enrichers that are killed, stopped, hung and started while they fold: nothing is lost, nothing is applied twice."""

import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import redis

from bench.chaos.enricher.expected import Difference, compare, expect
from bench.chaos.enricher.history import Source, history
from bench.chaos.enricher.members import SESSION_TIMEOUT_MS, Members, Progress
from bench.chaos.findings import NONE, Finding, Goal, Relation
from bench.chaos.sizes import EnricherSizes
from devstack.service import ServiceProcess
from devstack.stack import Stack

SEED: Final = 2014
GROUP_ID: Final = "kills"
MEMBERS: Final = 3
_HANG_SECONDS: Final = 2 * SESSION_TIMEOUT_MS / 1000
_BATCH_RECORDS: Final = 200
"""Small batches: more places to be killed at."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What was done to the members."""

    kills: int
    left: int
    hung: int
    joined: int
    seconds: float


def measure(stack: Stack, sizes: EnricherSizes) -> list[Finding]:
    """The whole history, with a kill at each of so many random points, and what Redis holds then."""
    members = Members(stack, GROUP_ID, {"ENRICHER_BATCH_RECORDS": str(_BATCH_RECORDS)})
    source = Source(stack.kafka, history(sizes.customers, sizes.events, SEED))
    progress = Progress(stack.kafka, GROUP_ID)
    try:
        counts = Disturbance(sizes, members, source, progress).run(points(sizes))
    finally:
        members.end()
        progress.close()
    expected = expect(stack.kafka)
    with redis.Redis.from_url(stack.redis) as client:
        return findings_of(sizes, counts, expected.records, compare(expected, client, stack.kafka))


def points(sizes: EnricherSizes) -> list[int]:
    """Where in the history somebody is killed, in order."""
    return sorted(random.Random(SEED).sample(range(sizes.customers, sizes.events), sizes.kills))


class Disturbance:
    """Lets a group fold a history and does not leave it in peace."""

    def __init__(self, sizes: EnricherSizes, members: Members, source: Source, progress: Progress) -> None:
        self._sizes = sizes
        self._members = members
        self._source = source
        self._progress = progress
        self._chance = random.Random(SEED)
        self._left = self._hung = 0

    def run(self, kill_points: Sequence[int]) -> Counts:
        """Each point: produce up to there and somewhat further, and kill a member while that is folded."""
        began, events = time.monotonic(), self._sizes.events
        for _ in range(MEMBERS):
            self._members.launch()
        for number, point in enumerate(kill_points, 1):
            further = kill_points[number] if number < len(kill_points) else events
            self._source.send(self._chance.randint(point + 1, further) - self._source.sent)
            self._source.flush()
            self._progress.reach(point, self._members.require_alive)
            self._members.kill(self._chance.choice(self._members.alive))
            self._members.launch()
            if number % self._sizes.leave_every == 0:
                self._leave()
            if number % self._sizes.hang_every == 0:
                self._hang()
        self._source.send(events - self._source.sent)
        self._source.flush()
        self._progress.reach(events, self._members.require_alive)
        seconds = time.monotonic() - began
        joined = self._members.launched
        for member in list(self._members.alive):
            self._stop(member)
        return Counts(len(kill_points), self._left, self._hung, joined, seconds)

    def _leave(self) -> None:
        self._stop(self._chance.choice(self._members.alive))
        self._members.launch()
        self._left += 1

    def _stop(self, member: ServiceProcess) -> None:
        member.wait_until_ready()  # before, SIGTERM ends it as SIGKILL does
        self._members.stop(member)

    def _hang(self) -> None:
        member = self._chance.choice(self._members.alive)
        member.pause()
        threading.Event().wait(_HANG_SECONDS)
        member.resume()
        self._hung += 1


def findings_of(sizes: EnricherSizes, counts: Counts, records: int, difference: Difference) -> list[Finding]:
    """From what was done and what came of it."""
    under = (
        f"{sizes.events} events, {counts.kills} × SIGKILL at random points, {counts.left} members left, "
        f"{counts.hung} hung longer than their session, {counts.joined} joined"
    )
    kills = Goal(Relation.IS, sizes.kills)
    findings = [
        ("lost", difference.lost, "events that are not in their state", NONE),
        ("applied_twice", difference.twice, "events that are in their state twice", NONE),
        ("differing", difference.values, "values in Redis that are not the oracle's, byte for byte", NONE),
        ("interests_lost", difference.interests_lost, "interests", NONE),
        ("interests_repeated", difference.interests_repeated, "interests written again under the same id", None),
        ("events", records, "events in Kafka", Goal(Relation.IS, sizes.events)),
        ("kills", counts.kills, "kills", kills),
        ("seconds", counts.seconds, "s", None),
    ]
    return [Finding(f"enricher_kills_{name}", value, unit, under, goal) for name, value, unit, goal in findings]
