"""From a message to a record that our own readers and CloudEvents tools take."""

from interlude.events.conversion import read_event
from interlude.events.topics import dead_letter_topic
from interlude.events.writing import to_record
from interlude.features.state import Listen, Stream
from tests.unit.events import messages
from tests.unit.events.messages import NOW_MS


def test_a_record_carries_its_key_its_bytes_and_cloudevents_headers() -> None:
    record = to_record(messages.listen(), customer_id=42, event_id="play-1", at_ms=NOW_MS + 7, source="test")
    assert (record.key, record.value) == (b"42", messages.listen().SerializeToString())
    assert dict(record.headers) == {
        "content-type": b"application/x-protobuf",
        "ce_specversion": b"1.0",
        "ce_id": b"play-1",
        "ce_type": b"interlude.v1.Listen",
        "ce_source": b"test",
        "ce_time": b"2023-11-14T22:13:20.007+00:00",
    }


def test_what_is_written_is_read() -> None:
    record = to_record(messages.listen(), customer_id=42, event_id="play-1", at_ms=NOW_MS, source="test")
    customer_id, event = read_event(Stream.LISTENS, record.key, record.value, dict(record.headers), NOW_MS)
    assert customer_id == 42
    assert isinstance(event, Listen)


def test_dead_letters_lie_beside_their_topic_by_group() -> None:
    assert dead_letter_topic("listens", "enricher") == "listens.enricher.dlq"
