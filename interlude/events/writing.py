"""From a message to a Kafka record: key, value and CloudEvents headers (binary mode, version 1.0 of its Kafka binding)."""

import functools
from datetime import UTC, datetime
from typing import Final, NamedTuple

from google.protobuf.message import Message

from interlude.events.reading import PROTOBUF_CONTENT_TYPE

TYPE_PREFIX: Final = "interlude.v1."
_CONTENT_TYPE: Final = PROTOBUF_CONTENT_TYPE.encode()


class Record(NamedTuple):
    """What a producer is given."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


def to_record(message: Message, *, customer_id: int, event_id: str, at_ms: int, source: str) -> Record:
    """`message` as a record. `source` names the writing service, `at_ms` is event time in epoch ms."""
    headers = event_headers(message.DESCRIPTOR.name, source, at_ms, event_id.encode())
    return Record(b"%d" % customer_id, message.SerializeToString(), headers)


def event_headers(message_name: str, source: str, at_ms: int, event_id: bytes) -> list[tuple[str, bytes]]:
    """The headers of a record whose value is a serialised `message_name`, a type named without its package."""
    return [*_shared_headers(message_name, source, at_ms), ("ce_id", event_id)]


@functools.lru_cache(maxsize=64)
def _shared_headers(message_name: str, source: str, at_ms: int) -> tuple[tuple[str, bytes], ...]:
    """Kept for a while: what was decided in one batch has one time."""
    return (
        ("content-type", _CONTENT_TYPE),
        ("ce_specversion", b"1.0"),
        ("ce_type", (TYPE_PREFIX + message_name).encode()),
        ("ce_source", source.encode()),
        ("ce_time", datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").encode()),
    )
