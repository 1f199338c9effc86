"""Too many dead letters stop the enricher before the batch that crosses the limit; nothing of it is done."""

from collections.abc import Iterator
from urllib.error import URLError

import pytest
from confluent_kafka import Producer

from devstack.stack import Stack
from devstack.topics import TopicPlan, create, delete_topics
from interlude.events.topics import PARTITIONER, Topic, dead_letter_topic
from interlude.features.codec import decode_state
from interlude.servicekit.topic_reading import read_topic
from interlude.v1 import events_pb2 as pb
from tests.integration.enricher_scene import (
    BASE_MS,
    DEADLINE_S,
    READ_TOPICS,
    EnricherProcess,
    Progress,
    empty,
    launch_enricher,
    until,
    values_in,
)

DATABASE = 47
GOOD = 100
BAD = 400
LIMIT = {
    "ENRICHER_DEAD_LETTER_LIMIT": "0.5",
    "ENRICHER_DEAD_LETTER_LIMIT_RECORDS": "1000",
    "ENRICHER_DEAD_LETTER_LIMIT_MINIMUM": "100",
}


def _listen(number: int) -> bytes:
    return pb.Listen(
        event_id=f"play-{number}", customer_id=42, track_id=7, played_at_ms=BASE_MS + number, device=pb.DEVICE_PC
    ).SerializeToString()


def _produce(bootstrap: str, values: list[bytes]) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "partitioner": PARTITIONER})
    for value in values:
        producer.produce(Topic.LISTENS, value, key=b"42")
    assert producer.flush(DEADLINE_S) == 0


@pytest.fixture
def letters(stack: Stack, system_topics: str, group_id: str) -> Iterator[str]:
    """Kafka with empty topics, and dead letters for a group of our own."""
    assert system_topics == stack.kafka
    plans = [TopicPlan(dead_letter_topic(topic, group_id), 1, 4 * 1024 * 1024) for topic in READ_TOPICS]
    create(stack.kafka, plans)
    empty(stack, DATABASE)
    yield stack.kafka
    delete_topics(stack.kafka, [plan.name for plan in plans])


def _stands(enricher: EnricherProcess) -> bool:
    try:
        return "dead letters" in enricher.waits_for()
    except URLError:
        return False  # it has only just been started


def _dead(stack: Stack, group_id: str) -> int:
    return len(list(read_topic(stack.kafka, dead_letter_topic(Topic.LISTENS, group_id))))


def test_a_flood_of_bad_records_stops_it_before_they_are_put_aside_and_a_higher_limit_lets_them_through(
    stack: Stack, letters: str, group_id: str
) -> None:
    _produce(letters, [_listen(number) for number in range(GOOD)])
    enricher = launch_enricher(stack, group_id, DATABASE, LIMIT)
    progress = Progress(letters, group_id)
    progress.reach(1.0)
    _produce(letters, [b"\xff garbage"] * BAD)
    until(lambda: _stands(enricher), "it went on in spite of its limit")
    sentence = enricher.waits_for()
    assert "records of listens (" in sentence
    assert "the limit is 50%; commonest: parse: not a binary Listen" in sentence
    assert enricher.sample("interlude_enricher_dead_letter_limit_reached", topic="listens") == 1
    assert enricher.process.alive

    put_aside = _dead(stack, group_id)
    assert put_aside <= GOOD, "no more than half of the records so far"
    in_flight = enricher.sample("interlude_enricher_in_flight_events")
    received = enricher.sample("interlude_enricher_received_total")
    assert (received - in_flight, in_flight > 0) == (GOOD + put_aside, True)
    assert enricher.process.terminate() == 0
    assert progress.committed() == GOOD + put_aside, "what waits is not committed"

    # The same limit again: what was seen is forgotten, so at most the minimum passes, and it stands.
    again = launch_enricher(stack, group_id, DATABASE, LIMIT)
    until(lambda: _stands(again), "it went on after a restart")
    assert _dead(stack, group_id) < put_aside + 100
    assert again.process.terminate() == 0

    _produce(letters, [_listen(number) for number in range(GOOD, 2 * GOOD)])
    whatever_comes = launch_enricher(stack, group_id, DATABASE, {**LIMIT, "ENRICHER_DEAD_LETTER_LIMIT": "1"})
    progress.close()
    progress = Progress(letters, group_id)
    progress.reach(1.0)
    progress.close()
    assert whatever_comes.process.terminate() == 0
    assert _dead(stack, group_id) == BAD
    assert decode_state(values_in(stack, DATABASE)[b"s:{42}"]).offsets[0] == 2 * GOOD + BAD - 1
