"""Which partitions are ours, and which of them flow: not while something is waited for, nor before the first topics' past."""

from collections.abc import Iterable
from typing import Final

import structlog
from confluent_kafka import Consumer, Message, TopicPartition

from interlude.servicekit.records import Place, places_of
from interlude.servicekit.telemetry import Health

log = structlog.get_logger()


class PartitionFlow:
    """Assigns, pauses and resumes the partitions of one consumer, and says in `Health` what it waits for.

    `incremental`: Kafka gives and takes single partitions and the others stay; else each assignment replaces the last one.
    """

    def __init__(self, consumer: Consumer, health: Health, first_topics: Iterable[str], *, incremental: bool) -> None:
        self._consumer: Final = consumer
        self._health: Final = health
        self._first_topics: Final = frozenset(first_topics)
        self._incremental: Final = incremental
        self._owned: set[Place] = set()
        self._behind: set[Place] = set()
        """Partitions of `first_topics` whose end was not reached since they were assigned."""
        self._holding = False
        self._waiting = False

    def owns(self, record: Message) -> bool:
        """Whether the record's partition is still ours."""
        return (record.topic(), record.partition()) in self._owned

    def places(self) -> list[Place]:
        """The partitions that are ours, sorted."""
        return sorted(self._owned)

    def reached_end(self, place: Place) -> None:
        """All that is in Kafka of that partition was read."""
        self._behind.discard(place)

    def release_held(self) -> None:
        """Let the other topics flow when nothing of the first ones is missing any more."""
        if self._holding and not self._behind:
            log.info("caught up", topics=sorted(self._first_topics))
            self._holding = False
            self._consumer.resume(self._consumer.assignment())
            self._health.ready()

    def wait(self, reason: str) -> None:
        """Stop the flow until `go_on`."""
        if not self._waiting:
            self._waiting = True
            self._consumer.pause(self._consumer.assignment())
        if reason != self._health.missing:
            log.warning("waiting", reason=reason)
            self._health.unready(reason)

    def go_on(self) -> None:
        """What was waited for is there."""
        if self._waiting:
            log.info("resumed")
            self._waiting = False
            if not self._holding:
                self._health.ready()
            self._consumer.resume(self._flowing(self._consumer.assignment()))

    def take(self, partitions: list[TopicPartition]) -> None:
        """These are ours from now on: besides those that are, or instead of them."""
        places = places_of(partitions)
        behind = {place for place in places if place.topic in self._first_topics}
        if self._incremental:
            self._owned |= places
            self._behind |= behind
            self._consumer.incremental_assign(partitions)
        else:
            self._owned = places
            self._behind = behind
            self._consumer.assign(partitions)
        self._holding = bool(self._behind)
        self._pause_what_waits()
        if self._holding:
            self._health.unready(f"all of {', '.join(sorted(self._first_topics))}")
        elif not self._waiting:
            self._health.ready()

    def restart(self, starts: list[TopicPartition]) -> None:
        """Read our partitions from other offsets on. What was fetched before is dropped by Kafka's client."""
        self.go_on()  # resumed after a seek, a partition would go on where it was paused
        if self._incremental:
            self._consumer.incremental_unassign(starts)
            self._consumer.incremental_assign(starts)
        else:
            self._consumer.assign(starts)
        self._pause_what_waits()

    def give(self, partitions: list[TopicPartition]) -> None:
        """These are ours no longer."""
        # A pause outlives the assignment: without this, a partition given back to us later would never flow again.
        self._consumer.resume(partitions)
        gone = places_of(partitions)
        self._owned -= gone
        self._behind -= gone
        if self._incremental:
            self._consumer.incremental_unassign(partitions)
        else:
            self._consumer.unassign()

    def _pause_what_waits(self) -> None:
        assignment = self._consumer.assignment()
        flowing = [] if self._waiting else self._flowing(assignment)
        self._consumer.pause([partition for partition in assignment if partition not in flowing])

    def _flowing(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        """Those that are not held back for the first topics."""
        return [p for p in partitions if not self._holding or p.topic in self._first_topics]
