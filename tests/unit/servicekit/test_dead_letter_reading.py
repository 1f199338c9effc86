"""A dead letter read back says what was written, and is as the record came."""

from confluent_kafka import Message

from interlude.servicekit.dead_letter_reading import to_letter
from interlude.servicekit.dead_letters import DeadLetters
from interlude.servicekit.producing import KafkaHeaders


class Sink:
    """Keeps what was sent as the record that a reader gets."""

    def __init__(self) -> None:
        self.record: Message | None = None

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: KafkaHeaders | None = None) -> bool:
        self.record = Message(topic=topic, partition=0, offset=5, key=key, value=value, headers=headers)
        return True


def test_a_letter_is_read_as_it_was_put() -> None:
    sink = Sink()
    headers: KafkaHeaders = [("a", b"1"), ("a", b"2"), ("none", None), ("raw", b"\xff")]
    came = Message(topic="listens", partition=3, offset=17, key=b"\x00k", value=b"\xff", headers=headers)
    DeadLetters(sink, "enricher").put(came, stage="parse", problem="not a Lístën")
    assert sink.record is not None
    letter = to_letter(sink.record)
    assert letter.place == (0, 5)
    assert letter[1:7] == ("listens", "3", "17", "enricher", "parse", "not a Lístën")
    assert (letter.key, letter.value, letter.headers) == (b"\x00k", b"\xff", headers)
    assert letter.belongs_in("listens.enricher.dlq")
    assert not letter.belongs_in("listens.other.dlq")


def test_a_record_that_no_service_has_put_there_belongs_nowhere() -> None:
    letter = to_letter(Message(topic="listens.enricher.dlq", partition=0, offset=1, value=b"x"))
    assert letter[1:7] == ("",) * 6
    assert not letter.belongs_in("listens.enricher.dlq")
