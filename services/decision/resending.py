"""Sends what was spilled, once Kafka takes records again.

A segment is forgotten only when all of its records are in Kafka: whatever happens before, all of them are sent again. Readers
take the same decision, or the same event, twice as one.
"""

import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from interlude.servicekit.errors import Unavailable
from interlude.servicekit.producing import Keep
from services.decision.journal import Journal, RecordSink
from services.decision.spill import Spill

RETRY_SECONDS: Final = 2.0
FLUSH_SECONDS: Final = 5.0
PIECE: Final = 16
PIECE_SECONDS: Final = 0.002
"""Records sent before answers get the interpreter, and for how long: at most some 7,000 a second are sent again."""


class Producer(RecordSink, Protocol):
    """A `RecordProducer` for nothing else."""

    def flush(self, timeout_seconds: float) -> None: ...

    def give_up(self) -> None: ...


class Resender:
    """Empties a spill. For one thread."""

    def __init__(
        self, spill: Spill, open_producer: Callable[[Keep], Producer], on_resent: Callable[[str, int], None]
    ) -> None:
        """`open_producer` makes the producer once there is something to send; `on_resent(topic, count)` is told of records that
        are in Kafka at last."""
        self._spill = spill
        self._open_producer = open_producer
        self._on_resent = on_resent
        self._producer: Producer | None = None
        self._failed = 0

    def resend_until(self, stop: threading.Event) -> None:
        """Try until `stop`; for a thread of its own."""
        while not stop.wait(RETRY_SECONDS):
            while not stop.is_set() and self.resend_oldest():
                pass

    def resend_oldest(self) -> bool:
        """Send the oldest segment; False when there is none, or Kafka did not take all of it."""
        segment = self._spill.oldest()
        if segment is None:
            return False
        if self._producer is None:
            self._producer = self._open_producer(self._has_failed)
        journal, records = Journal(self._producer), self._spill.read(segment)
        self._failed = 0
        for place, record in enumerate(records):
            if not journal.send_again(record):
                self._failed += 1
            if place % PIECE == PIECE - 1:
                time.sleep(PIECE_SECONDS)
        try:
            self._producer.flush(FLUSH_SECONDS)
        except Unavailable:
            self._producer.give_up()
        if self._failed:
            return False
        self._spill.remove(segment)
        for topic in {record.topic for record in records}:
            self._on_resent(topic, sum(record.topic == topic for record in records))
        return True

    def _has_failed(self, _topic: str, _key: bytes, _value: bytes) -> bool:
        """Kept: the segment still has it."""
        self._failed += 1
        return True
