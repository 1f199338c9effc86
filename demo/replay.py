"""History into Kafka, as fast as Kafka takes it."""

from collections import Counter
from collections.abc import Iterable
from typing import Final, NamedTuple, Protocol

from google.protobuf.message import Message

from interlude.events.topics import PARTITIONER, Topic
from interlude.events.writing import to_record
from interlude.servicekit.producing import KafkaHeaders, RecordProducer
from interlude.v1 import events_pb2 as pb

_FLUSH_EVERY: Final = 20_000
"""Records; well below what the producer's queue holds, so that it is never full."""

_FLUSH_SECONDS: Final = 60.0


class HistoricEvent(NamedTuple):
    """One record to be: `at_ms` is event time in epoch ms."""

    topic: Topic
    customer_id: int
    event_id: str
    at_ms: int
    message: Message


class RecordSink(Protocol):
    """Where records go: a `RecordProducer`."""

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: KafkaHeaders | None = None) -> bool: ...

    def flush(self, timeout_seconds: float) -> None: ...


def replay_producer(bootstrap: str) -> RecordProducer:
    """A producer that prefers full batches to a quick first record."""
    return RecordProducer(bootstrap, client_id="demo-replay", partitioner=PARTITIONER, linger_ms=5)


def replay(events: Iterable[HistoricEvent], sink: RecordSink, source: str) -> Counter[Topic]:
    """Send `events` in their order; returns how many are in Kafka, by topic. `source` is their CloudEvents source.

    Raises `Unavailable` when Kafka does not take them all.
    """
    sent: Counter[Topic] = Counter()
    for number, event in enumerate(events, start=1):
        record = to_record(
            event.message, customer_id=event.customer_id, event_id=event.event_id, at_ms=event.at_ms, source=source
        )
        sink.send(event.topic, record.key, record.value, [*record.headers])
        sent[event.topic] += 1
        if number % _FLUSH_EVERY == 0:
            sink.flush(_FLUSH_SECONDS)
    sink.flush(_FLUSH_SECONDS)
    return sent


def of_customer(customer: pb.Customer) -> HistoricEvent:
    """A profile as an event."""
    event_id = f"{customer.customer_id}/{customer.updated_at_ms}"
    return HistoricEvent(Topic.CUSTOMERS, customer.customer_id, event_id, customer.updated_at_ms, customer)


def of_listen(listen: pb.Listen) -> HistoricEvent:
    """A listen as an event."""
    return HistoricEvent(Topic.LISTENS, listen.customer_id, listen.event_id, listen.played_at_ms, listen)


def of_ad_event(event: pb.AdEvent) -> HistoricEvent:
    """An ad event as an event."""
    return HistoricEvent(Topic.AD_EVENTS, event.customer_id, event.event_id, event.at_ms, event)
