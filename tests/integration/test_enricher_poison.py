"""Poison among good records: all of it in the dead letters with its provenance, the rest folded as without it, every record
accounted for; and once a fault of ours is mended, a replay empties the dead letters."""

import random
import time
from collections.abc import Iterator
from typing import Final, NamedTuple

import pytest
from confluent_kafka import Message, Producer
from google.protobuf import json_format

from cli import exits
from cli.__main__ import main
from devstack.stack import Stack
from devstack.topics import TopicPlan, create, delete_topics
from interlude.events.conversion import read_event
from interlude.events.errors import InvalidEvent
from interlude.events.topics import PARTITIONER, Topic, dead_letter_topic
from interlude.features.codec import encode_hot, encode_state
from interlude.features.state import ListenerState, Stream, log_position
from interlude.servicekit.producing import KafkaHeaders
from interlude.servicekit.topic_reading import read_topic
from services.enricher.folding import Arrival, fold_arrivals
from services.enricher.handler import STREAMS
from tests.integration import unreadable_headers
from tests.integration.enricher_scene import (
    BASE_MS,
    DEADLINE_S,
    READ_TOPICS,
    Progress,
    Sent,
    empty,
    history,
    launch_enricher,
    values_in,
)

CUSTOMERS: Final = 60
GOOD: Final = 4000
DATABASE: Final = 46
FAR_AHEAD_MS: Final = 10**15
NOW_MS: Final = time.time_ns() // 1_000_000
DEAD_LETTER_BYTES: Final = 4 * 1024 * 1024
MEGABYTE: Final = 1_000_000
PROVENANCE: Final = ("dlq_topic", "dlq_partition", "dlq_offset", "dlq_group", "dlq_stage", "dlq_error")


class Raw(NamedTuple):
    """A record as it is produced."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: KafkaHeaders


def _abuses() -> list[KafkaHeaders]:
    """Headers that nobody should send."""
    return [
        [("ce_id", b"x" * 400_000)],
        [(f"h{number}", b"v") for number in range(3000)],
        [("ce_id", b"\xff\xfe\x00"), ("content-type", b"\xff\xfe")],
        [("ce_id", b"1"), ("ce_id", b"2"), ("ce_id", None)],
        [("content-type", b"text/html; charset=\x00")],
        [("dlq_topic", b"customers"), ("dlq_offset", b"-7"), ("dlq_group", b"\xff")],
    ]


def _good(sent: Sent, number: int) -> Raw:
    message = sent.message
    value = None
    if message is not None:
        value = json_format.MessageToJson(message).encode() if number % 3 == 0 else message.SerializeToString()
    return Raw(sent.topic, b"%d" % sent.customer_id, value, [("ce_id", b"%d" % number)])


def _poison(chance: random.Random) -> list[Raw]:
    """1 % undecodable, 1 % invalid, headers abused on good and bad values, values of a megabyte."""
    customer_id = chance.randrange(CUSTOMERS)
    key = b"%d" % customer_id
    listen = b'{"eventId": "p%d", "customerId": %d, "trackId": 7, "playedAtMs": %d, "device": "DEVICE_PC"}'
    abused = chance.choice(_abuses())
    invalid = listen % (chance.randrange(10**9), customer_id, FAR_AHEAD_MS)
    return [
        Raw(chance.choice(READ_TOPICS), key, b"\xff" + chance.randbytes(chance.randrange(40)), []),
        Raw(Topic.LISTENS, key, invalid, []),
        Raw(Topic.LISTENS, key, b"\xff\xff", abused),
        # A binary event that says it is JSON.
        Raw(Topic.AD_EVENTS, key, b"\x0a\x01x", [("content-type", b"application/json")]),
        Raw(Topic.LISTENS, chance.choice((None, b"", b"\xff", b"07")), listen % (1, customer_id, BASE_MS), abused),
    ]


def _mixture(seed: int = 3) -> list[Raw]:
    chance = random.Random(seed)
    records = [_good(sent, number) for number, sent in enumerate(history(CUSTOMERS, GOOD, seed))]
    # Good events keep their place in spite of abused headers.
    for number in chance.sample(range(len(records)), 60):
        records[number] = records[number]._replace(headers=chance.choice(_abuses()))
    for _ in range(GOOD // 100):
        for bad in _poison(chance):
            records.insert(chance.randrange(len(records)), bad)
    for _ in range(6):
        place, customer_id = chance.randrange(len(records)), chance.randrange(CUSTOMERS)
        records.insert(place, Raw(Topic.LISTENS, b"%d" % customer_id, b"{" + b"x" * MEGABYTE, []))
    return records


def _produce(bootstrap: str, records: list[Raw]) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "partitioner": PARTITIONER, "message.max.bytes": 2 * MEGABYTE})
    for topic, key, value, headers in records:
        producer.produce(topic, value, key=key, headers=headers)
        producer.poll(0)
    assert producer.flush(DEADLINE_S) == 0


def _read(stream: Stream, record: Message) -> tuple[int, object] | str:
    """Customer and event, or the stage at which the record is bad: by the same rules, outside of any service."""
    try:
        return read_event(stream, record.key(), record.value(), record.headers(), NOW_MS)
    except InvalidEvent as reason:
        return reason.stage


def _expected(bootstrap: str) -> tuple[dict[bytes, bytes], dict[tuple[str, int, int], tuple[Message, str]]]:
    """From what lies in Kafka: Redis as it must be, folded one by one, and the bad records by topic, partition and offset."""
    states: dict[int, ListenerState] = {}
    bad: dict[tuple[str, int, int], tuple[Message, str]] = {}
    for topic, stream in STREAMS.items():
        for record in read_topic(bootstrap, topic):
            found = _read(stream, record)
            if isinstance(found, str):
                bad[topic, record.partition() or 0, record.offset() or 0] = record, found
                continue
            customer_id, event = found
            arrival = Arrival(stream, log_position(record.partition() or 0, record.offset() or 0), 0, event)  # type: ignore[arg-type]
            states[customer_id] = fold_arrivals(states.get(customer_id, ListenerState()), [arrival]).state
    values = {b"s:{%d}" % customer_id: encode_state(state) for customer_id, state in states.items()}
    return values | {b"f:{%d}" % customer_id: encode_hot(state) for customer_id, state in states.items()}, bad


@pytest.fixture
def letters(stack: Stack, system_topics: str, group_id: str) -> Iterator[str]:
    """Kafka with empty topics, and dead letters for a group of our own."""
    assert system_topics == stack.kafka
    plans = [TopicPlan(dead_letter_topic(topic, group_id), 1, DEAD_LETTER_BYTES) for topic in READ_TOPICS]
    create(stack.kafka, plans)
    empty(stack, DATABASE)
    yield stack.kafka
    delete_topics(stack.kafka, [plan.name for plan in plans])


def _reach_the_end(stack: Stack, group_id: str) -> None:
    progress = Progress(stack.kafka, group_id)
    progress.reach(1.0)
    progress.close()


def _pairs(record: Message) -> KafkaHeaders:
    headers = record.headers() or []
    return list(headers.items()) if isinstance(headers, dict) else headers


def _check_letters(bootstrap: str, group_id: str, bad: dict[tuple[str, int, int], tuple[Message, str]]) -> int:
    """That each bad record lies there as it came, with its provenance, and nothing else does; how many lie there."""
    missing = dict(bad)
    for topic in READ_TOPICS:
        for letter in read_topic(bootstrap, dead_letter_topic(topic, group_id)):
            headers = _pairs(letter)
            provenance = dict(headers[-len(PROVENANCE) :])
            assert tuple(provenance) == PROVENANCE
            said = {name: str(value, "utf-8") for name, value in provenance.items() if isinstance(value, bytes)}
            record, stage = missing.pop((topic, int(said["dlq_partition"]), int(said["dlq_offset"])))
            assert (letter.key(), letter.value()) == (record.key(), record.value())
            assert headers[: -len(PROVENANCE)] == _pairs(record)
            assert (said["dlq_topic"], said["dlq_group"], said["dlq_stage"]) == (topic, group_id, stage)
            assert said["dlq_error"]
    assert missing == {}
    return len(bad)


def test_poison_is_put_aside_the_rest_is_applied_and_everything_is_accounted_for(
    stack: Stack, letters: str, group_id: str
) -> None:
    records = _mixture()
    _produce(letters, records)
    if unreadable_headers.IS_POSSIBLE:
        listen = b'{"eventId": "u", "customerId": 5, "trackId": 7, "playedAtMs": %d, "device": "DEVICE_PC"}' % BASE_MS
        unreadable_headers.produce(letters, Topic.LISTENS, b"5", [listen, b"\xff\xff"])
    expected, bad = _expected(letters)
    assert len(bad) >= 5 * (GOOD // 100)
    assert {stage for _, stage in bad.values()} == {"size", "parse", "validate"}

    enricher = launch_enricher(stack, group_id, DATABASE)
    try:
        _reach_the_end(stack, group_id)
        assert values_in(stack, DATABASE) == expected
        dead = _check_letters(letters, group_id, bad)
        received = enricher.sample("interlude_enricher_received_total")
        assert received == len(records) + 2 * unreadable_headers.IS_POSSIBLE
        outcomes = {
            outcome: enricher.sample("interlude_enricher_events_total", outcome=outcome)
            for outcome in ("applied", "duplicate", "dead_lettered", "returned")
        }
        assert outcomes["dead_lettered"] == dead
        assert sum(outcomes.values()) == received
        assert enricher.sample("interlude_enricher_in_flight_events") == 0
    finally:
        enricher.process.terminate()


def _hot(values: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """What decisions read; the states of a replay hold other offsets."""
    return {key: value for key, value in values.items() if key.startswith(b"f:")}


def test_a_replay_after_the_mend_empties_the_dead_letters(
    stack: Stack, letters: str, group_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*line: str) -> str:
        assert main(["dlq", *line, "--kafka", letters]) == exits.OK
        return capsys.readouterr().out

    topics = [dead_letter_topic(topic, group_id) for topic in READ_TOPICS]
    # Without the empty records that delete a profile: they count by their place in the log, and a replay comes behind them.
    sent = [each for each in history(CUSTOMERS, 600, seed=5) if each.message is not None]
    _produce(letters, [_good(each, number) for number, each in enumerate(sent)])
    expected, bad = _expected(letters)
    assert bad == {}
    no_limit = {"ENRICHER_DEAD_LETTER_LIMIT": "1"}
    faulty = launch_enricher(stack, group_id, DATABASE, no_limit, module="tests.integration.faulty_enricher")
    try:
        _reach_the_end(stack, group_id)
        put_aside = int(faulty.sample("interlude_enricher_events_total", outcome="dead_lettered"))
    finally:
        faulty.process.terminate()
    assert _hot(values_in(stack, DATABASE)) != _hot(expected)
    assert "  parse     braces are not expected" in run("list")
    assert sum(int(run("replay", topic, "--dry-run").split()[1]) for topic in topics) == put_aside > 200

    mended = launch_enricher(stack, group_id, DATABASE)
    try:
        replayed = [run("replay", topic) for topic in topics]
        assert sum(int(summary.split()[1]) for summary in replayed) == put_aside
        _reach_the_end(stack, group_id)
        assert mended.sample("interlude_enricher_events_total", outcome="dead_lettered") == 0
    finally:
        mended.process.terminate()
    assert _hot(values_in(stack, DATABASE)) == _hot(expected)
    listed = run("list")
    for topic in topics:
        assert f"{topic}: 0 open, " in listed
        assert run("replay", topic).startswith(f"{topic}: 0 replayed, 0 left out")
