"""What the enricher tells others: interests, and records it could not take."""

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Protocol

from confluent_kafka import Message

from interlude.events.errors import InvalidEvent
from interlude.events.topics import Topic
from interlude.events.writing import to_record
from interlude.features.interest import Interest
from interlude.servicekit.dead_letters import DeadLetters, RecordSink
from interlude.servicekit.errors import Unavailable
from interlude.v1 import events_pb2 as pb
from services.enricher.folding import FoldedArrivals

SOURCE = "interlude/enricher"


class FlushedSink(RecordSink, Protocol):
    """Where records go: a `RecordProducer`."""

    def flush(self, timeout_seconds: float) -> None: ...


class KafkaOutbox:
    """Queues records for Kafka and waits for them. Raises `Unavailable` when they are not taken."""

    def __init__(self, producer: FlushedSink, dead_letters: DeadLetters, flush_timeout_ms: int) -> None:
        self._producer = producer
        self._dead_letters = dead_letters
        self._flush_timeout_seconds = flush_timeout_ms / 1000

    def put_dead_letter(self, record: Message, reason: InvalidEvent) -> None:
        """Queue a record that cannot be taken, with the reason."""
        self._queue(partial(self._dead_letters.put, record, stage=reason.stage, problem=reason.problem))

    def put_interests(self, customer_id: int, folded: FoldedArrivals) -> None:
        """Queue the interests found for one customer."""
        for interest in folded.interests:
            event = to_event(customer_id, interest)
            record = to_record(
                event, customer_id=customer_id, event_id=event.interest_id, at_ms=event.window_end_ms, source=SOURCE
            )
            self._queue(partial(self._producer.send, Topic.INTERESTS, record.key, record.value, list(record.headers)))

    def flush(self) -> None:
        """Wait until everything queued is in Kafka."""
        self._producer.flush(self._flush_timeout_seconds)

    def _queue(self, send: Callable[[], bool]) -> None:
        """Queue one record. A full queue is emptied into Kafka first: nobody else would do it, and it would stay full."""
        if send():
            return
        self.flush()
        if not send():
            raise Unavailable("the queue of records for Kafka is full")


def to_event(customer_id: int, interest: Interest) -> pb.Interest:
    """The event of an interest; its id is a function of customer, track and closing listen."""
    identity = b"%d|%d|%d" % (customer_id, interest.track_id, interest.closing_hash)
    return pb.Interest(
        interest_id=hashlib.blake2b(identity, digest_size=16).hexdigest(),
        customer_id=customer_id,
        track_id=interest.track_id,
        window_start_ms=interest.window_start_ms,
        window_end_ms=interest.window_end_ms,
        listens=interest.listens,
    )
