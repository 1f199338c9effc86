"""What was handled, and how Kafka is told of it."""

import time
from collections.abc import Callable, Sequence

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from interlude.servicekit.records import Place, offset_after, place_of

log = structlog.get_logger()


class OffsetCommits:
    """Commits the offsets of handled records without waiting, at most every `interval_ms`: a commit costs Kafka more than a
    small batch. Beside each stands what `metadata` gives."""

    def __init__(self, consumer: Consumer, interval_ms: int, metadata: Callable[[], str] = lambda: "") -> None:
        self._consumer = consumer
        self._metadata = metadata
        self._interval_seconds = interval_ms / 1000
        self._due_seconds = 0.0
        self._handled: dict[Place, int] = {}
        self._uncommitted = False

    def note(self, batch: Sequence[Message]) -> None:
        """These records are handled."""
        for record in batch:
            self._handled[place_of(record)] = offset_after(record)
        self._uncommitted = True

    def commit_when_due(self) -> None:
        """Tell Kafka, unless it was told just now."""
        if self._uncommitted and time.monotonic() >= self._due_seconds:
            self._due_seconds = time.monotonic() + self._interval_seconds
            self.commit()

    def commit(self) -> None:
        """Tell Kafka what it was not told yet."""
        if self._uncommitted:
            self._uncommitted = False
            self._send(wait=False)

    def commit_and_wait(self) -> None:
        """Tell Kafka all of it, and wait for its answer."""
        self._send(wait=True)

    def failed(self, error: KafkaError) -> None:
        """Kafka did not take what it was told last: tell it again, also when nothing more is handled."""
        log.warning("commit failed", error=error.name())
        self._uncommitted = True

    def forget(self, places: set[Place]) -> None:
        """Those belong to somebody else, who commits for them from now on."""
        self._handled = {place: end for place, end in self._handled.items() if place not in places}

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
        except KafkaException as error:
            # Should it come to a restart before, the batch is repeated, which handlers allow for.
            self.failed(error.args[0])
