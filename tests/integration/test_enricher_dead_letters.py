"""Events that cannot be taken: as they came, with the reason, beside their topic; the rest is applied."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition

from devstack.stack import Stack
from devstack.topics import TopicPlan, create
from interlude.events.topics import PARTITIONER, Topic, dead_letter_topic
from interlude.features.codec import decode_state
from interlude.servicekit.producing import KafkaHeaders
from interlude.v1 import events_pb2 as pb
from tests.integration.enricher_scene import (
    DEADLINE_S,
    READ_TOPICS,
    EnricherProcess,
    Progress,
    empty,
    launch_enricher,
    values_in,
)

DATABASE = 40
GOOD_CUSTOMER = 42
DEAD_LETTER_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class Bad:
    """One record that cannot be taken, and what its dead letter must say."""

    topic: Topic
    key: bytes | None
    value: bytes | None
    stage: bytes
    error: bytes


def _listen(**changes: object) -> bytes:
    fields: dict[str, object] = {
        "event_id": "play-1",
        "customer_id": GOOD_CUSTOMER,
        "track_id": 7,
        "played_at_ms": 1_700_000_000_000,
        "device": pb.DEVICE_PC,
    }
    return pb.Listen(**{**fields, **changes}).SerializeToString()  # type: ignore[arg-type]


def _bad_records() -> list[Bad]:
    six_minutes_ahead_ms = time.time_ns() // 1_000_000 + 6 * 60_000
    return [
        Bad(Topic.LISTENS, b"42", b"\xff\xfe garbage \x00", b"parse", b"not a binary Listen"),
        Bad(Topic.LISTENS, b"42", b'{"event_id": ', b"parse", b"not a Listen in proto3 JSON"),
        Bad(Topic.LISTENS, b"42", _listen(device=9), b"validate", b"device is 9"),
        Bad(Topic.LISTENS, b"-1", _listen(customer_id=-1), b"validate", b"customer_id is negative"),
        Bad(Topic.LISTENS, b"42", _listen(played_at_ms=six_minutes_ahead_ms), b"validate", b"played_at_ms is "),
        Bad(Topic.LISTENS, b"42", b"x" * 1_000_000, b"size", b"value has 1000000 bytes, limit 65536"),
        Bad(Topic.LISTENS, b"43", _listen(), b"validate", b"the record's key is not the customer_id"),
        Bad(Topic.LISTENS, None, _listen(), b"validate", b"the record's key is not the customer_id"),
        Bad(Topic.LISTENS, b"42", None, b"validate", b"event_id is empty"),
        Bad(Topic.AD_EVENTS, b"42", b'{"kind": "AD_EVENT_KIND_SNEEZE"}', b"validate", b"event_id is empty"),
        Bad(Topic.CUSTOMERS, b"007", None, b"validate", b"the record's key is not a customer_id"),
    ]


HEADERS: KafkaHeaders = [("ce_id", b"1"), ("twice", b"a"), ("twice", b"b"), ("raw", b"\xff\x00")]


def _produce(bootstrap: str, bad: list[Bad]) -> dict[Bad, tuple[int, int]]:
    """Bad and good records in turn; partition and offset of the bad ones."""
    places: dict[Bad, tuple[int, int]] = {}
    producer = Producer({"bootstrap.servers": bootstrap, "partitioner": PARTITIONER, "message.max.bytes": 2_000_000})
    for number, record in enumerate(bad):
        good = _listen(event_id=f"good-{number}")
        producer.produce(Topic.LISTENS, good, key=b"%d" % GOOD_CUSTOMER)

        def delivered(error: object, message: Message, record: Bad = record) -> None:
            assert error is None
            places[record] = (message.partition() or 0, message.offset() or 0)

        producer.produce(record.topic, record.value, key=record.key, headers=HEADERS, on_delivery=delivered)
    assert producer.flush(DEADLINE_S) == 0
    return places


@pytest.fixture
def enricher(stack: Stack, system_topics: str, group_id: str) -> Iterator[EnricherProcess]:
    """One that runs, with dead-letter topics for its group."""
    assert system_topics == stack.kafka
    letters = [TopicPlan(dead_letter_topic(topic, group_id), 1, DEAD_LETTER_BYTES) for topic in READ_TOPICS]
    create(stack.kafka, letters)
    empty(stack, DATABASE)
    running = launch_enricher(stack, group_id, DATABASE)
    yield running
    running.process.terminate()


def _dead_letters(bootstrap: str, group_id: str, topic: Topic, expected: int) -> list[Message]:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "reader"})
    consumer.assign([TopicPartition(dead_letter_topic(topic, group_id), 0, 0)])
    letters = [consumer.poll(DEADLINE_S) for _ in range(expected)]
    one_more = consumer.poll(0.3)
    consumer.close()
    assert one_more is None
    return [letter for letter in letters if letter is not None]


def test_bad_events_lie_beside_their_topic_and_the_rest_is_applied(
    stack: Stack, enricher: EnricherProcess, group_id: str
) -> None:
    bad = _bad_records()
    places = _produce(stack.kafka, bad)
    progress = Progress(stack.kafka, group_id)
    progress.reach(1.0)
    progress.close()
    state = decode_state(values_in(stack, DATABASE)[b"s:{42}"])
    assert len(state.listens.marks) == len(bad), "as many good listens as bad records were sent"
    for topic in READ_TOPICS:
        expected = {places[record]: record for record in bad if record.topic is topic}
        for letter in _dead_letters(stack.kafka, group_id, topic, len(expected)):
            headers = list(letter.headers() or [])
            provenance = {name: value for name, value in headers if isinstance(value, bytes)}
            record = expected.pop((int(provenance["dlq_partition"]), int(provenance["dlq_offset"])))
            assert (letter.key(), letter.value()) == (record.key, record.value)
            assert headers[: len(HEADERS)] == HEADERS
            assert provenance["dlq_topic"] == topic.encode()
            assert provenance["dlq_group"] == group_id.encode()
            assert provenance["dlq_stage"] == record.stage
            assert provenance["dlq_error"].startswith(record.error)
        assert expected == {}
    assert enricher.sample("interlude_enricher_events_total", outcome="dead_lettered") == len(bad)
    assert enricher.sample("interlude_enricher_events_total", outcome="applied") == len(bad)
