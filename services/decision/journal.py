"""What the decision service writes to Kafka: decisions, outcomes, and the campaigns they were made by. Never blocks an answer."""

from typing import Final, Protocol, cast

from interlude.contacts.campaign import Campaigns
from interlude.events.reading import JSON_CONTENT_TYPE
from interlude.events.topics import Topic
from interlude.events.writing import Record, event_headers, to_record
from interlude.servicekit.producing import KafkaHeaders
from interlude.v1 import decision_pb2 as pb
from interlude.v1 import events_pb2
from services.decision.spill import SpilledRecord

SOURCE: Final = "interlude/decision"
_DECISION: Final[str] = pb.DecisionLogged.DESCRIPTOR.name
_JSON: Final[KafkaHeaders] = [("content-type", JSON_CONTENT_TYPE.encode())]


class RecordSink(Protocol):
    """Where records go: a `RecordProducer`. Both return False when there is no room; only `send` counts that as a record lost."""

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: KafkaHeaders | None = None) -> bool: ...

    def try_send(
        self, topic: str, key: bytes | None, value: bytes | None, headers: KafkaHeaders | None = None
    ) -> bool: ...


class Journal:
    """Queues events for Kafka and returns at once."""

    def __init__(self, sink: RecordSink) -> None:
        self._sink = sink

    def log_decision(self, line: bytes, customer_id: int, decision_id: bytes, at_ms: int) -> bool:
        """Queue one serialised `DecisionLogged`; False when there is no room for it."""
        return self._sink.try_send(Topic.DECISIONS, b"%d" % customer_id, line, _decision_headers(at_ms, decision_id))

    def report(self, event: events_pb2.AdEvent) -> bool:
        """Queue one ad event; False when there is no room for it."""
        record = _ad_event_record(event)
        return self._sink.send(Topic.AD_EVENTS, record.key, record.value, list(record.headers))

    def publish_campaigns(self, campaigns: Campaigns) -> bool:
        """Queue a document of campaigns under its version, for those who replay decisions; False when there is no room for it."""
        return self._sink.send(Topic.CAMPAIGNS, campaigns.version.encode(), campaigns.text.encode(), _JSON)

    def send_again(self, spilled: SpilledRecord) -> bool:
        """Queue a record that waited on disk, as it was; False when there is no room for it."""
        return self._sink.try_send(spilled.topic, spilled.key, spilled.value, _headers_again(spilled))


def _headers_again(spilled: SpilledRecord) -> KafkaHeaders:
    """The headers are not kept: all that they say is in the record."""
    if spilled.topic == Topic.CAMPAIGNS:
        return _JSON
    if spilled.topic == Topic.AD_EVENTS:
        return list(_ad_event_record(events_pb2.AdEvent.FromString(spilled.value)).headers)
    logged = pb.DecisionLogged.FromString(spilled.value)
    return _decision_headers(logged.decided_at_ms, logged.decision_id.encode())


def _decision_headers(at_ms: int, decision_id: bytes) -> KafkaHeaders:
    return cast(KafkaHeaders, event_headers(_DECISION, SOURCE, at_ms, decision_id))


def _ad_event_record(event: events_pb2.AdEvent) -> Record:
    return to_record(event, customer_id=event.customer_id, event_id=event.event_id, at_ms=event.at_ms, source=SOURCE)
