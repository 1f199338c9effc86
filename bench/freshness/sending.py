"""Events into Kafka as players send them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from interlude.events.topics import PARTITIONER, Topic
from interlude.events.writing import to_record
from interlude.servicekit.producing import RecordProducer
from interlude.v1 import events_pb2 as pb

SOURCE: Final = "bench"
_FLUSH_SECONDS: Final = 60.0


@contextmanager
def open_producer(bootstrap: str, linger_ms: int = 0) -> Iterator[RecordProducer]:
    """A producer whose delivery reports are served; at the end of the block all that was sent is in Kafka, or it raises
    `Unavailable`."""
    producer = RecordProducer(bootstrap, client_id=SOURCE, partitioner=PARTITIONER, linger_ms=linger_ms)
    finished = threading.Event()
    thread = threading.Thread(target=producer.poll_until, args=(finished,), name="deliveries", daemon=True)
    thread.start()
    try:
        yield producer
        producer.flush(_FLUSH_SECONDS)
    finally:
        finished.set()
        thread.join()


def try_send(producer: RecordProducer, event: pb.Listen | pb.AdEvent) -> bool:
    """Queue an event on its topic, under its own time; false when the queue is full."""
    topic, at_ms = (
        (Topic.LISTENS, event.played_at_ms) if isinstance(event, pb.Listen) else (Topic.AD_EVENTS, event.at_ms)
    )
    record = to_record(event, customer_id=event.customer_id, event_id=event.event_id, at_ms=at_ms, source=SOURCE)
    return producer.try_send(topic, record.key, record.value, [*record.headers])
