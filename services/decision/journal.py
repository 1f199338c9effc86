"""What the decision service writes to Kafka: decisions and outcomes. Never blocks an answer."""

from typing import Final, Protocol

from interlude.events.topics import Topic
from interlude.events.writing import to_record
from interlude.servicekit.producing import KafkaHeaders
from interlude.v1 import decision_pb2 as pb
from interlude.v1 import events_pb2

SOURCE: Final = "interlude/decision"


class RecordSink(Protocol):
    """Where records go: a `RecordProducer`. False when there is no room."""

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: KafkaHeaders | None = None) -> bool: ...


class Journal:
    """Queues events for Kafka and returns at once."""

    def __init__(self, sink: RecordSink) -> None:
        self._sink = sink

    def log_decision(self, logged: pb.DecisionLogged) -> bool:
        """Queue one decision; False when it was dropped, which the sink has counted."""
        record = to_record(
            logged,
            customer_id=logged.request.customer_id,
            event_id=logged.decision_id,
            at_ms=logged.decided_at_ms,
            source=SOURCE,
        )
        return self._sink.send(Topic.DECISIONS, record.key, record.value, list(record.headers))

    def report(self, event: events_pb2.AdEvent) -> bool:
        """Queue one ad event; False when there is no room for it."""
        record = to_record(
            event, customer_id=event.customer_id, event_id=event.event_id, at_ms=event.at_ms, source=SOURCE
        )
        return self._sink.send(Topic.AD_EVENTS, record.key, record.value, list(record.headers))
