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
    headers = [
        ("content-type", _CONTENT_TYPE),
        ("ce_specversion", b"1.0"),
        ("ce_id", event_id.encode()),
        ("ce_type", _type(message.DESCRIPTOR.name)),
        ("ce_source", source.encode()),
        ("ce_time", _time(at_ms)),
    ]
    return Record(b"%d" % customer_id, message.SerializeToString(), headers)


@functools.cache
def _type(name: str) -> bytes:
    return (TYPE_PREFIX + name).encode()


@functools.lru_cache(maxsize=16)
def _time(at_ms: int) -> bytes:
    """Kept for a while: what was decided in one batch has one time."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").encode()
