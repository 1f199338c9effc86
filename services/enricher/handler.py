"""One batch, from Kafka records to features in Redis."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from confluent_kafka import Message
from prometheus_client import Histogram

from interlude.events.conversion import read_event
from interlude.events.errors import InvalidEvent
from interlude.events.topics import Topic
from interlude.features.state import ListenerState, Stream, log_position, partition_at
from interlude.servicekit.dead_letter_limit import DeadLetterLimit
from services.enricher.folding import Arrival, FoldedArrivals, fold_arrivals
from services.enricher.metrics import EnricherMetrics
from services.enricher.reconciliation import EventOutcome, Place
from services.enricher.store import Change

STREAMS: Final[dict[str, Stream]] = {
    Topic.LISTENS: Stream.LISTENS,
    Topic.AD_EVENTS: Stream.AD_EVENTS,
    Topic.CUSTOMERS: Stream.CUSTOMERS,
}
_TOPICS: Final[dict[Stream, str]] = {stream: topic for topic, stream in STREAMS.items()}
_STEPS: Final = ("decode", "read", "fold", "publish", "write")

Arrivals = dict[int, list[Arrival]]


class States(Protocol):
    """Listener states that are written only where nobody else wrote in between."""

    def read(self, customer_ids: Sequence[int]) -> dict[int, ListenerState]: ...

    def write(self, changes: Mapping[int, Change]) -> list[int]: ...


class Outbox(Protocol):
    """What goes to Kafka before a batch counts as handled."""

    def put_dead_letter(self, record: Message, reason: InvalidEvent) -> None: ...

    def put_interests(self, customer_id: int, folded: FoldedArrivals) -> None: ...

    def flush(self) -> None: ...


class EnricherHandler:
    """Folds a batch into the states of its listeners."""

    def __init__(
        self,
        states: States,
        outbox: Outbox,
        metrics: EnricherMetrics,
        limit: DeadLetterLimit,
        now_ms: Callable[[], int],
        seconds: Callable[[], float] = time.perf_counter,
    ) -> None:
        """`seconds` is the clock of the steps."""
        self._states = states
        self._outbox = outbox
        self._metrics = metrics
        self._reconciliation = metrics.reconciliation
        self._limit = limit
        self._freshness = {stream: metrics.freshness.labels(topic) for stream, topic in _TOPICS.items()}
        self._timed = {step: _Timed(metrics.step_seconds.labels(step), seconds) for step in _STEPS}
        self._now_ms = now_ms

    def handle(self, batch: Sequence[Message]) -> None:
        """1. decode every record; 2. read the states; 3. fold; 4. queue what was found for Kafka; 5. write the states of those
        without interests; 6. wait until Kafka has what was queued; 7. write the other states. From 2 again for listeners whom
        another enricher wrote meanwhile.

        Publishing comes before writing: after a crash in between, the events are folded again and give the same interests
        with the same ids; the other way round they would be lost. Where a batch fails half way and is handled again, what was
        written of it counts as duplicate. Raises `Unavailable`, `TooManyDeadLetters` among them before
        anything of the batch is published or written.
        """
        received = Counter((record.topic() or "", record.partition() or 0) for record in batch)
        self._reconciliation.begin(received)
        with self._timed["decode"]:
            arrivals, rejected = self._decode(batch)
        tally = self._limit.check(_by_topic(received), rejected)
        pending = arrivals
        while pending:
            pending = self._apply(pending, rejected)
            rejected = []
        if rejected:
            self._queue({}, rejected)
            self._publish(rejected)
        self._reconciliation.end()
        self._limit.add(tally)
        self._metrics.batch_records.observe(len(batch))

    def _decode(self, batch: Sequence[Message]) -> tuple[Arrivals, list[tuple[Message, InvalidEvent]]]:
        """Arrivals by customer, in the batch's order, and the records that cannot be taken."""
        clock_ms = self._now_ms()
        arrivals: Arrivals = {}
        rejected = []
        for record in batch:
            stream = STREAMS[record.topic() or ""]
            arrived_ms = record.timestamp()[1]
            # An event from the future is that when it arrives: a replay a day later must refuse it as well.
            now_ms = min(clock_ms, arrived_ms) if arrived_ms > 0 else clock_ms
            try:
                customer_id, event = read_event(stream, record.key(), record.value(), record.headers(), now_ms)
            except InvalidEvent as reason:
                rejected.append((record, reason))
                continue
            position = log_position(record.partition() or 0, record.offset() or 0)
            arrival = Arrival(stream, position, arrived_ms, event)
            arrivals.setdefault(customer_id, []).append(arrival)
        return arrivals, rejected

    def _apply(self, arrivals: Arrivals, rejected: Sequence[tuple[Message, InvalidEvent]]) -> Arrivals:
        """Read, fold, publish and write `arrivals`; returns those of the listeners that were not written."""
        with self._timed["read"]:
            states = self._states.read(list(arrivals))
        with self._timed["fold"]:
            folded = {
                customer_id: fold_arrivals(states[customer_id], events) for customer_id, events in arrivals.items()
            }
        changes = {
            customer_id: Change(states[customer_id], after.state)
            for customer_id, after in folded.items()
            if after.state is not states[customer_id]
        }
        queued = self._queue(folded, rejected)
        held = {customer_id: changes.pop(customer_id) for customer_id in queued}
        refused = self._write(changes)
        if queued or rejected:
            self._publish(rejected)
            refused += self._write(held)
        self._count(arrivals, folded, refused)
        return {customer_id: arrivals[customer_id] for customer_id in refused}

    def _queue(
        self, folded: Mapping[int, FoldedArrivals], rejected: Sequence[tuple[Message, InvalidEvent]]
    ) -> list[int]:
        """Queue dead letters and interests for Kafka; returns whose interests."""
        for record, reason in rejected:
            self._outbox.put_dead_letter(record, reason)
        with_interests = [customer_id for customer_id, after in folded.items() if after.interests]
        for customer_id in with_interests:
            self._outbox.put_interests(customer_id, folded[customer_id])
        return with_interests

    def _write(self, changes: Mapping[int, Change]) -> list[int]:
        if not changes:
            return []
        with self._timed["write"]:
            return self._states.write(changes)

    def _publish(self, rejected: Sequence[tuple[Message, InvalidEvent]]) -> None:
        """Wait until Kafka has what was queued."""
        with self._timed["publish"]:
            self._outbox.flush()
        for record, _ in rejected:
            self._reconciliation.count((record.topic() or "", record.partition() or 0), EventOutcome.DEAD_LETTERED, 1)

    def _count(self, arrivals: Arrivals, folded: Mapping[int, FoldedArrivals], refused: Sequence[int]) -> None:
        self._metrics.conflicts.inc(len(refused))
        now_ms = self._now_ms()
        counts: dict[tuple[Stream, int, bool], int] = {}
        newest_ms: dict[tuple[Stream, int], int] = {}
        arrived_ms: dict[Stream, list[int]] = {stream: [] for stream in _TOPICS}
        for customer_id in folded.keys() - set(refused):
            after = folded[customer_id]
            if after.interests:
                self._metrics.interests.inc(len(after.interests))
            if after.out_of_order:
                self._metrics.out_of_order.inc(after.out_of_order)
            for (stream, position, at_ms, _), is_applied in zip(arrivals[customer_id], after.applied, strict=True):
                partition = partition_at(position)
                counts[stream, partition, is_applied] = counts.get((stream, partition, is_applied), 0) + 1
                if is_applied and at_ms > newest_ms.get((stream, partition), 0):
                    newest_ms[stream, partition] = at_ms
                arrived_ms[stream].append(at_ms)
        for stream, times_ms in arrived_ms.items():
            if times_ms:
                self._freshness[stream].observe_all([(now_ms - at_ms) / 1000 for at_ms in times_ms])
        for (stream, partition, is_applied), events in counts.items():
            outcome = EventOutcome.APPLIED if is_applied else EventOutcome.DUPLICATE
            self._reconciliation.count((_TOPICS[stream], partition), outcome, events)
        for (stream, partition), applied_ms in newest_ms.items():
            self._reconciliation.note_applied((_TOPICS[stream], partition), applied_ms)


class _Timed:
    """Observes how long each `with` takes. A generator made into a context manager takes longer than some of the steps."""

    def __init__(self, histogram: Histogram, seconds: Callable[[], float]) -> None:
        self._histogram = histogram
        self._seconds = seconds
        self._began = 0.0

    def __enter__(self) -> None:
        self._began = self._seconds()

    def __exit__(self, *failure: object) -> None:
        if failure == (None, None, None):
            self._histogram.observe(self._seconds() - self._began)


def _by_topic(received: "Counter[Place]") -> "Counter[str]":
    totals: Counter[str] = Counter()
    for (topic, _), records in received.items():
        totals[topic] += records
    return totals
