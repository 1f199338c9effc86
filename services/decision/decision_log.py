"""The decision log behind the answers: what was decided is remembered at once and written a moment later.

Answers only append to a bounded queue. One thread makes records of them in short bursts, offers the interpreter to callers
after every few, and puts on disk what Kafka does not take.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

from interlude.events.topics import Topic
from services.decision.answers import Answer
from services.decision.journal import Journal
from services.decision.responses import Decision, to_log
from services.decision.spill import SpilledRecord

WAITING_LIMIT: Final = 20_000
"""Decisions that may wait to be written, some 50 MB; more are dropped and counted."""

GIVEN_UP_LIMIT: Final = 200_000
"""Records given up by Kafka's client that may wait to be spilled: twice its queue, which may come back all at once."""

WRITE_SECONDS: Final = 0.02
"""Pause between bursts. After a longer one a burst takes so long that calls queue behind it: with a tenth of a second the p99 of
6,000 calls a second was half as long again. A shorter one costs throughput (ADR 0013)."""

PIECE: Final = 32
"""Decisions written before the interpreter is offered to whoever waits for it, some 200 µs. Kept until it is taken away, it
would cost an answer half a millisecond after each of its words with Redis."""


class Disk(Protocol):
    """Where records wait for Kafka: a `Spill`."""

    def append(self, records: Sequence[SpilledRecord]) -> None: ...


class DecisionLog:
    """Safe between threads: many append, one writes."""

    def __init__(
        self,
        spill: Disk | None,
        *,
        service_version: str,
        on_dropped: Callable[[str, int], None],
        on_spilled: Callable[[str], None],
        on_written: Callable[[Iterable[Answer]], None] = lambda _answers: None,
    ) -> None:
        """`on_dropped(topic, count)` is told of what is lost, `on_spilled(topic)` of each record put on disk, `on_written` of the
        answers, a few at a time, in the thread that writes. Without `spill` all that Kafka does not take is lost."""
        self._spill = spill
        self._service_version = service_version
        self._on_dropped = on_dropped
        self._on_spilled = on_spilled
        self._on_written = on_written
        self._waiting: deque[Decision] = deque()
        self._given_up: deque[SpilledRecord] = deque()

    def append(self, decisions: Sequence[Decision]) -> None:
        """Remember decisions. Never waits."""
        room = max(0, WAITING_LIMIT - len(self._waiting))
        self._waiting.extend(decisions[:room])
        if len(decisions) > room:
            self._on_dropped(Topic.DECISIONS, len(decisions) - room)

    def keep(self, topic: str, key: bytes, value: bytes) -> bool:
        """Take a record that Kafka's client has given up, for the disk; False when it is lost."""
        if self._spill is None or len(self._given_up) >= GIVEN_UP_LIMIT:
            return False
        self._given_up.append(SpilledRecord(topic, key, value))
        return True

    def write_waiting(self, journal: Journal) -> None:
        """Hand everything that waits to Kafka, or to the disk."""
        while self._waiting:
            refused = []
            piece = [self._waiting.popleft() for _ in range(min(PIECE, len(self._waiting)))]
            for decision in piece:
                line = to_log(decision, self._service_version)
                if not _is_taken(journal, decision, line):
                    key = b"%d" % decision.answer.question.customer_id
                    refused.append(SpilledRecord(Topic.DECISIONS, key, line))
            self._put_on_disk(refused)
            self._on_written(decision.answer for decision in piece)
            if self._waiting:
                time.sleep(0)
        while self._given_up:
            self._put_on_disk([self._given_up.popleft() for _ in range(min(PIECE, len(self._given_up)))])
            time.sleep(0)

    def write_until(self, stop: threading.Event, journal: Journal) -> None:
        """Write in bursts until `stop`; for a thread of its own."""
        while not stop.wait(WRITE_SECONDS):
            self.write_waiting(journal)

    def _put_on_disk(self, records: Sequence[SpilledRecord]) -> None:
        if not records:
            return
        if self._spill is None:
            self._on_dropped(Topic.DECISIONS, len(records))
            return
        for record in records:
            self._on_spilled(record.topic)
        self._spill.append(records)


def _is_taken(journal: Journal, decision: Decision, line: bytes) -> bool:
    answer = decision.answer
    return journal.log_decision(line, answer.question.customer_id, decision.decision_id, answer.decided_at_ms)
