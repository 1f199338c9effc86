"""Records that cannot be taken: the bytes as they came, and why, into a topic from which they can be replayed."""

from typing import Final, Protocol

from confluent_kafka import Message

from interlude.servicekit.producing import KafkaHeaders

TOPIC_ENDING: Final = ".dlq"


class RecordSink(Protocol):
    """Where dead letters go: a `RecordProducer`."""

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: KafkaHeaders | None = None) -> bool: ...


class DeadLetters:
    """Writes to `<topic>.<group>.dlq`, keeping key, value and headers, with the provenance in `dlq_` headers."""

    def __init__(self, sink: RecordSink, group_id: str) -> None:
        self._sink = sink
        self._group_id = group_id

    def put(self, record: Message, *, stage: str, problem: str) -> bool:
        """Queue `record`; False when there is no room for it now. It is safe only after the sink's `flush`."""
        provenance: KafkaHeaders = [
            ("dlq_topic", (record.topic() or "").encode()),
            ("dlq_partition", str(record.partition()).encode()),
            ("dlq_offset", str(record.offset()).encode()),
            ("dlq_group", self._group_id.encode()),
            ("dlq_stage", stage.encode()),
            ("dlq_error", problem.encode()),
        ]
        headers: KafkaHeaders = [*_pairs(record), *provenance]
        topic = f"{record.topic()}.{self._group_id}{TOPIC_ENDING}"
        return self._sink.send(topic, record.key(), record.value(), headers)


def _pairs(record: Message) -> KafkaHeaders:
    headers = record.headers() or []
    return list(headers.items()) if isinstance(headers, dict) else headers
