"""What was handled, and how Kafka is told of it.

A client may lose a commit: librdkafka 2.16 under KIP-848 has been seen to go on fetching after its member was taken for dead, and
never to say what became of a commit that was on its way then. So an answer is waited for, the commit is repeated, and at last
the client is given up.
"""

import time
from collections.abc import Callable, Sequence
from typing import Final

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from interlude.servicekit.records import Place, offset_after, place_of

REPEAT_SECONDS: Final = 5.0
"""A commit without an answer for so long is sent again."""
REPEATS: Final = 5
"""No answer although it was sent again so often: another client. Counted, as a slow handler is not Kafka's silence."""

log = structlog.get_logger()


class OffsetCommits:
    """Commits the offsets of handled records without waiting, at most every `interval_ms`: a commit costs Kafka more than a
    small batch. Beside each stands what `metadata` gives."""

    def __init__(
        self,
        consumer: Consumer,
        interval_ms: int,
        metadata: Callable[[], str] = lambda: "",
        now_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._consumer = consumer
        self._metadata = metadata
        self._now_seconds = now_seconds
        self._interval_seconds = interval_ms / 1000
        self._due_seconds = 0.0
        self._handled: dict[Place, int] = {}
        self._uncommitted = False
        self._asked: dict[Place, int] = {}
        self._answer_due_seconds = 0.0
        self._repeats = 0

    def note(self, batch: Sequence[Message]) -> None:
        """These records are handled."""
        # Of many records few are the last of their partition, and only those are looked at closely.
        last = {(record.topic(), record.partition()): record for record in batch}
        for record in last.values():
            self._handled[place_of(record)] = offset_after(record)
        self._uncommitted = True

    def commit_when_due(self) -> None:
        """Tell Kafka, unless it was told just now; and again where it did not answer."""
        now = self._now_seconds()
        if self._asked and now >= self._answer_due_seconds:
            self._repeats += 1
            self._answer_due_seconds = now + REPEAT_SECONDS
            self._uncommitted = True
            log.warning("commit not answered", repeats=self._repeats)
        if self._uncommitted and now >= self._due_seconds:
            self._due_seconds = now + self._interval_seconds
            self.commit()

    def commit(self) -> None:
        """Tell Kafka what it was not told yet."""
        if self._uncommitted:
            self._uncommitted = False
            self._send(wait=False)

    def commit_and_wait(self) -> None:
        """Tell Kafka all of it, and wait for its answer."""
        self._send(wait=True)

    def answered(self, error: KafkaError | None, partitions: Sequence[TopicPartition]) -> None:
        """Kafka's answer to a commit. What it did not take it is told again, also when nothing more is handled."""
        refusal = error or next((partition.error for partition in partitions if partition.error), None)
        if refusal:
            self._failed(refusal)
            return
        self._repeats = 0
        self._answer_due_seconds = self._now_seconds() + REPEAT_SECONDS
        taken = {Place(partition.topic, partition.partition): partition.offset for partition in partitions}
        self._asked = dict(self._asked.items() - taken.items())

    @property
    def are_ignored(self) -> bool:
        """Whether Kafka, or the client, leaves all commits without an answer."""
        return self._repeats > REPEATS

    def forget(self, places: set[Place]) -> None:
        """Those belong to somebody else, who commits for them from now on."""
        self._handled = {place: end for place, end in self._handled.items() if place not in places}
        self._asked = {place: end for place, end in self._asked.items() if place not in places}

    def restart(self, starts: Sequence[TopicPartition]) -> None:
        """What was handled up to now counts no longer: these are the offsets to go on from. Those without a number are left
        as they are committed."""
        self._handled = {Place(start.topic, start.partition): start.offset for start in starts if start.offset >= 0}
        self._uncommitted = True

    def _send(self, *, wait: bool) -> None:
        if not self._handled:
            return  # the partitions are lost
        metadata = self._metadata()
        offsets = [TopicPartition(*place, end, metadata) for place, end in self._handled.items()]
        try:
            if wait:
                self._consumer.commit(offsets=offsets, asynchronous=False)
            else:
                self._consumer.commit(offsets=offsets, asynchronous=True)
                if not self._asked:
                    self._answer_due_seconds = self._now_seconds() + REPEAT_SECONDS
                self._asked = dict(self._handled)
        except KafkaException as error:
            # Should it come to a restart before, the batch is repeated, which handlers allow for.
            self._failed(error.args[0])

    def _failed(self, error: KafkaError) -> None:
        log.warning("commit failed", error=error.name())
        self._repeats = 0
        self._asked = {}
        self._uncommitted = True
