"""From a message to a Kafka record: key, value and CloudEvents headers (binary mode, version 1.0 of its Kafka binding)."""

from datetime import UTC, datetime
from typing import Final, NamedTuple

from google.protobuf.message import Message

from interlude.events.reading import PROTOBUF_CONTENT_TYPE

TYPE_PREFIX: Final = "interlude.v1."


class Record(NamedTuple):
    """What a producer is given."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


def to_record(message: Message, *, customer_id: int, event_id: str, at_ms: int, source: str) -> Record:
    """`message` as a record. `source` names the writing service, `at_ms` is event time in epoch ms."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
    headers = [
        ("content-type", PROTOBUF_CONTENT_TYPE.encode()),
        ("ce_specversion", b"1.0"),
        ("ce_id", event_id.encode()),
        ("ce_type", (TYPE_PREFIX + message.DESCRIPTOR.name).encode()),
        ("ce_source", source.encode()),
        ("ce_time", at.encode()),
    ]
    return Record(b"%d" % customer_id, message.SerializeToString(), headers)
