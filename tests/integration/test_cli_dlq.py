"""`interlude dlq` on real Kafka: what lies there is listed, shown, and applied by an enricher when it is replayed."""

from collections.abc import Iterator

import pytest
from confluent_kafka import Message

from cli import exits
from cli.__main__ import main
from devstack.stack import Stack
from devstack.topics import TopicPlan, create, delete_topics
from interlude.events.topics import PARTITIONER, Topic, dead_letter_topic
from interlude.features.codec import decode_state
from interlude.servicekit.dead_letters import DeadLetters
from interlude.servicekit.producing import RecordProducer
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
    values_in,
)

DATABASE = 41
DEAD_LETTER_BYTES = 4 * 1024 * 1024


@pytest.fixture
def bootstrap(stack: Stack, system_topics: str, group_id: str) -> Iterator[str]:
    """Kafka with dead-letter topics for a group of our own."""
    assert system_topics == stack.kafka
    letters = [TopicPlan(dead_letter_topic(topic, group_id), 1, DEAD_LETTER_BYTES) for topic in READ_TOPICS]
    create(stack.kafka, letters)
    yield stack.kafka
    delete_topics(stack.kafka, [plan.name for plan in letters])


@pytest.fixture
def enricher(stack: Stack, bootstrap: str, group_id: str) -> Iterator[EnricherProcess]:
    """One that runs and reads as our group."""
    assert bootstrap == stack.kafka
    empty(stack, DATABASE)
    running = launch_enricher(stack, group_id, DATABASE)
    yield running
    running.process.terminate()


def _bury(bootstrap: str, group_id: str, topic: Topic, values: list[bytes], stage: str) -> None:
    """Puts records of customer 42 among the dead letters, as a service would that cannot take them."""
    producer = RecordProducer(bootstrap, client_id="test", partitioner=PARTITIONER)
    letters = DeadLetters(producer, group_id)
    for offset, value in enumerate(values):
        record = Message(
            topic=topic, partition=0, offset=offset, key=b"42", value=value, headers=[("trace", b"%d" % offset)]
        )
        assert letters.put(record, stage=stage, problem=f"{topic} {offset} is wrong")
    producer.flush(DEADLINE_S)


def _listen(number: int) -> bytes:
    return pb.Listen(
        event_id=f"listen-{number}", customer_id=42, track_id=number, played_at_ms=BASE_MS + number, device=pb.DEVICE_PC
    ).SerializeToString()


def _listens_known(stack: Stack, group_id: str) -> int:
    progress = Progress(stack.kafka, group_id)
    progress.reach(1.0)
    progress.close()
    return len(decode_state(values_in(stack, DATABASE)[b"s:{42}"]).listens.marks)


def test_letters_are_listed_shown_and_replayed(
    stack: Stack, enricher: EnricherProcess, group_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*line: str) -> str:
        assert main(["dlq", *line, "--kafka", stack.kafka]) == exits.OK
        return capsys.readouterr().out

    topic = dead_letter_topic(Topic.LISTENS, group_id)
    _bury(stack.kafka, group_id, Topic.LISTENS, [_listen(1), _listen(2)], "validate")
    _bury(stack.kafka, group_id, Topic.LISTENS, [b"\xffgarbage"], "parse")
    _bury(stack.kafka, group_id, Topic.LISTENS, [_listen(3)], "validate")
    listed = run("list")
    assert f"{topic}: 4 open\n  3  validate  listens # is wrong\n  1  parse     listens # is wrong\n" in listed
    shown = run("show", topic, "--limit", "3").split("\n\n")
    assert len(shown) == 3
    assert "\\xffgarbage" in shown[2]
    assert "trace: 1" in shown[1]

    assert run("replay", topic, "--dry-run").startswith(f"{topic}: 4 would be replayed, 0 left out")
    assert "4 open" in run("list"), "a dry run changes nothing"

    replayed = run("replay", topic, "--stage", "validate")
    assert replayed.startswith(f"{topic}: 3 replayed, 1 left out")
    assert _listens_known(stack, group_id) == 3
    assert f"{topic}: 1 open, 3 replayed or closed\n  1  parse " in run("list")

    again = run("replay", topic)
    assert again.startswith(f"{topic}: 1 replayed, 0 left out"), "no letter is replayed twice"
    assert _listens_known(stack, group_id) == 3
    assert f"{topic}: 1 open, 4 replayed or closed" in run("list"), "what still cannot be taken is a new letter"
    assert enricher.sample("interlude_enricher_events_total", outcome="dead_lettered") == 1
    records = list(read_topic(stack.kafka, Topic.LISTENS, key=b"42"))
    assert [record.headers() for record in records][:2] == [[("trace", b"0")], [("trace", b"1")]]


def test_values_of_customers_are_personal_data(
    bootstrap: str, group_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _bury(bootstrap, group_id, Topic.CUSTOMERS, [b"Ada Example"], "parse")
    line = ["dlq", "show", dead_letter_topic(Topic.CUSTOMERS, group_id), "--kafka", bootstrap]
    assert main(line) == exits.OK
    printed = capsys.readouterr().out
    assert "Ada" not in printed
    assert "11 bytes" in printed
    assert main([*line, "--values"]) == exits.OK
    assert "Ada Example" in capsys.readouterr().out


def test_a_topic_that_is_not_there_is_a_problem(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dlq", "show", "nothing.dlq", "--kafka", stack.kafka]) == exits.PROBLEMS
    assert "does not give nothing.dlq" in capsys.readouterr().err
