"""Where the records of each partition went. What was received is counted apart from what became of it, so that an event that
falls through shows: received = applied + duplicate + dead_lettered + returned + in flight, at every moment that is looked at."""

import threading
from collections import Counter
from enum import StrEnum
from typing import NamedTuple

Place = tuple[str, int]
"""A topic and the number of a partition."""


class EventOutcome(StrEnum):
    """What becomes of a record."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"
    DEAD_LETTERED = "dead_lettered"
    RETURNED = "returned"


class Accounts(NamedTuple):
    """One moment: records by partition, and when the newest that was applied came into Kafka, epoch ms."""

    received: dict[Place, int]
    outcomes: dict[tuple[Place, EventOutcome], int]
    in_flight: dict[Place, int]
    newest_applied_ms: dict[Place, int]


class Reconciliation:
    """Counts by the batch, in the thread that handles it; `accounts` may be asked for in any other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._received: Counter[Place] = Counter()
        self._outcomes: Counter[tuple[Place, EventOutcome]] = Counter()
        self._in_flight: Counter[Place] = Counter()
        self._newest_applied_ms: dict[Place, int] = {}
        self._of_batch: Counter[tuple[Place, EventOutcome]] = Counter()
        self._newest_of_batch: dict[Place, int] = {}

    def begin(self, records: "Counter[Place]") -> None:
        """A batch to handle, as its records by partition. Or again one that could not be handled, longer by what came meanwhile
        and without what a rebalance took away: that is returned to Kafka."""
        self._of_batch.clear()
        self._newest_of_batch.clear()
        with self._lock:
            for place in records.keys() | self._in_flight.keys():
                before, now = self._in_flight[place], records[place]
                # A partition leaves a batch whole. What is fewer is another fetch of it.
                kept = before if now >= before else 0
                self._received[place] += now - kept
                if before > kept:
                    self._outcomes[place, EventOutcome.RETURNED] += before - kept
            self._in_flight = records

    def abandon(self) -> None:
        """Nothing is left of the batch: a rebalance took all of it away."""
        self.begin(Counter())

    def count(self, place: Place, outcome: EventOutcome, records: int) -> None:
        """Records of the batch that came to their end."""
        self._of_batch[place, outcome] += records

    def note_applied(self, place: Place, arrived_ms: int) -> None:
        """The newest record of the batch that was applied came into Kafka at `arrived_ms`."""
        if arrived_ms > self._newest_of_batch.get(place, 0):
            self._newest_of_batch[place] = arrived_ms

    def end(self) -> None:
        """The batch is handled: its counts hold."""
        with self._lock:
            self._outcomes.update(self._of_batch)
            for place, arrived_ms in self._newest_of_batch.items():
                self._newest_applied_ms[place] = max(arrived_ms, self._newest_applied_ms.get(place, 0))
            self._in_flight = Counter()

    def accounts(self) -> Accounts:
        """All counts of one moment, as copies."""
        with self._lock:
            in_flight = {place: self._in_flight[place] for place in self._received}
            return Accounts(dict(self._received), dict(self._outcomes), in_flight, dict(self._newest_applied_ms))
