"""What the service tells others: the life of each request, and records it could not take."""

from collections.abc import Callable
from typing import Final, Protocol

from confluent_kafka import Message

from interlude.events.errors import InvalidEvent
from interlude.events.topics import Topic
from interlude.events.writing import to_record
from interlude.servicekit.dead_letters import DeadLetters
from interlude.servicekit.errors import Unavailable
from interlude.servicekit.producing import KafkaHeaders
from interlude.v1 import events_pb2 as pb
from services.sms.journal import SentText, Status
from services.sms.policy import Reason

SOURCE: Final = "interlude/sms"
_FULL: Final = "the queue of records for Kafka is full"


class EventSink(Protocol):
    """Where records go: a `RecordProducer`."""

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: KafkaHeaders | None = None) -> bool: ...

    def flush(self, timeout_seconds: float) -> None: ...


class KafkaOutbox:
    """Queues records for Kafka, each once until the next `flush`. Raises `Unavailable`. For one thread.

    A batch that waits for something is handled again and again; what was queued for it already is not queued twice.
    """

    def __init__(
        self,
        sink: EventSink,
        dead_letters: DeadLetters,
        flush_timeout_ms: int,
        on_dead_letter: Callable[[str, str], None],
    ) -> None:
        """`on_dead_letter(topic, stage)` is called for every dead letter queued."""
        self._sink = sink
        self._dead_letters = dead_letters
        self._flush_timeout_seconds = flush_timeout_ms / 1000
        self._on_dead_letter = on_dead_letter
        self._queued: set[str] = set()

    def put_event(self, sent: SentText, status: Status, reason: Reason, at_ms: int, message_id: str = "") -> bool:
        """Queue one event of a request; False when it was queued before."""
        event = to_event(sent, status, reason, at_ms, message_id)
        if event.event_id in self._queued:
            return False
        record = to_record(event, customer_id=sent.customer_id, event_id=event.event_id, at_ms=at_ms, source=SOURCE)
        if not self._sink.send(Topic.SMS_EVENTS, record.key, record.value, list(record.headers)):
            raise Unavailable(_FULL)
        self._queued.add(event.event_id)
        return True

    def put_dead_letter(self, record: Message, reason: InvalidEvent) -> None:
        """Queue a record that cannot be taken, with the reason."""
        place = f"{record.topic()}/{record.partition()}/{record.offset()}"
        if place in self._queued:
            return
        if not self._dead_letters.put(record, stage=reason.stage, problem=reason.problem):
            raise Unavailable(_FULL)
        self._queued.add(place)
        self._on_dead_letter(record.topic() or "", reason.stage)

    def flush(self) -> None:
        """Wait until everything queued is in Kafka."""
        # Also after a failure: what was lost is not known one by one, so all of the batch is told again.
        self._queued.clear()
        self._sink.flush(self._flush_timeout_seconds)


def to_event(sent: SentText, status: Status, reason: Reason, at_ms: int, message_id: str) -> pb.SmsEvent:
    """The event of a request's step; the same step gives the same event."""
    return pb.SmsEvent(
        event_id=f"{sent.request_id}/{status.name.lower()}",
        request_id=sent.request_id,
        customer_id=sent.customer_id,
        campaign_id=sent.campaign_id,
        status=pb.SmsStatus.Name(status),
        reason=pb.SmsReason.Name(reason),
        at_ms=at_ms,
        operator_message_id=message_id,
    )
