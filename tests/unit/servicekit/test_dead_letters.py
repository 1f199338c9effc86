"""Dead letters keep what came and say why it lies there."""

import pytest
from confluent_kafka import Message

from interlude.servicekit.dead_letters import DeadLetters
from interlude.servicekit.producing import KafkaHeaders


class Sink:
    """Takes records as long as it has room."""

    def __init__(self, *, has_room: bool = True) -> None:
        self.sent: list[tuple[str, bytes | None, bytes | None, KafkaHeaders | None]] = []
        self._has_room = has_room

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: KafkaHeaders | None = None) -> bool:
        self.sent.append((topic, key, value, headers))
        return self._has_room


PROVENANCE = [
    ("dlq_topic", b"listens"),
    ("dlq_partition", b"3"),
    ("dlq_offset", b"17"),
    ("dlq_group", b"enricher"),
    ("dlq_stage", b"parse"),
    ("dlq_error", "not a binary Lístën".encode()),
]


def _put(message: Message, sink: Sink) -> bool:
    return DeadLetters(sink, "enricher").put(message, stage="parse", problem="not a binary Lístën")


def test_key_value_and_headers_stay_as_they_came() -> None:
    sink = Sink()
    headers: KafkaHeaders = [("a", b"1"), ("a", b"2"), ("none", None), ("raw", b"\xff")]
    message = Message(topic="listens", partition=3, offset=17, key=b"\x00k", value=b"\xff\x00", headers=headers)
    assert _put(message, sink)
    assert sink.sent == [("listens.enricher.dlq", b"\x00k", b"\xff\x00", [*headers, *PROVENANCE])]


@pytest.mark.parametrize("headers", [None, []])
def test_a_record_without_headers_key_and_value_is_kept_as_well(headers: KafkaHeaders | None) -> None:
    sink = Sink()
    assert _put(Message(topic="listens", partition=3, offset=17, headers=headers), sink)
    assert sink.sent == [("listens.enricher.dlq", None, None, PROVENANCE)]


def test_offset_zero_of_partition_zero_is_named() -> None:
    sink = Sink()
    _put(Message(topic="listens", partition=0, offset=0), sink)
    headers = dict(sink.sent[0][3] or [])
    assert (headers["dlq_partition"], headers["dlq_offset"]) == (b"0", b"0")


def test_no_room_is_said() -> None:
    assert not _put(Message(topic="listens", partition=3, offset=17), Sink(has_room=False))
