"""`interlude replay`, `campaign dry-run` and `lift` read what a running service has left in Kafka and the model store."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Message

from cli import exits
from cli.__main__ import main
from devstack.ports import LOOPBACK, free_port
from devstack.stack import Stack
from interlude.events.topics import PARTITIONER, Topic
from interlude.servicekit import topic_reading
from interlude.servicekit.partitioning import partition_of
from interlude.servicekit.producing import RecordProducer
from interlude.servicekit.topic_reading import read_topic as read_to_end
from interlude.v1 import decision_pb2 as pb
from interlude.v1 import events_pb2
from tests.integration.decision_scene import PATIENT_S, UNHURRIED, DecisionScene, read_topic, running, value_of
from tests.models import KEYS, ModelSpec

CAMPAIGN = "cli-log"
DOCUMENT = f"campaigns: [{{campaign_id: {CAMPAIGN}, holdout_share: 0.5}}]"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("decision")


@pytest.fixture(scope="module")
def scene(stack: Stack, directory: Path) -> Iterator[DecisionScene]:
    (directory / "campaigns.yaml").write_text(DOCUMENT)
    settings = {**UNHURRIED, "DECISION_CAMPAIGN_FILE": str(directory / "campaigns.yaml")}
    with running(stack, directory, model=ModelSpec(), settings=settings) as scene:
        yield scene


def _replay(scene: DecisionScene, directory: Path, decision_id: str, *more: str) -> int:
    places = ["--kafka", scene.stack.kafka, "--model-store", str(directory / "models")]
    return main(["replay", decision_id, *places, "--model-key", KEYS.model_public_key, *more])


def _line(scene: DecisionScene, decision_id: str) -> pb.DecisionLogged:
    """The line of a decision, once it is in Kafka."""
    is_ours: Callable[[Message], bool] = lambda record: decision_id.encode() in value_of(record)  # noqa: E731
    return pb.DecisionLogged.FromString(value_of(read_topic(scene.stack.kafka, Topic.DECISIONS, is_ours, 1)[0]))


def _produce(scene: DecisionScene, topic: Topic, customer_id: int, value: bytes) -> None:
    producer = RecordProducer(scene.stack.kafka, client_id="test", partitioner=PARTITIONER)
    assert producer.send(topic, b"%d" % customer_id, value)
    producer.flush(PATIENT_S)


def test_a_decision_is_replayed_from_its_customers_partition_alone(
    scene: DecisionScene, directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    customer_id = scene.new_listener()
    answer = scene.decide(customer_id)
    _line(scene, answer.decision_id)
    assert _replay(scene, directory, answer.decision_id, "--customer", str(customer_id)) == exits.OK
    printed = capsys.readouterr().out
    assert printed.startswith(f"decision {answer.decision_id}\n")
    assert f"customer {customer_id}, campaign {CAMPAIGN}: " in printed
    assert "LOW_SCORE" in printed
    assert printed.endswith("replayed from the log: the same, bit for bit\n")
    assert _replay(scene, directory, answer.decision_id) == exits.OK, "without the customer all are read"


def test_a_line_that_does_not_follow_from_what_it_names_differs(
    scene: DecisionScene, directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = scene.decide(scene.new_listener())
    line = _line(scene, answer.decision_id)
    line.decision_id = "f" * 32
    line.response.propensity = 0.125
    _produce(scene, Topic.DECISIONS, line.request.customer_id, line.SerializeToString())
    assert _replay(scene, directory, "f" * 32) == exits.PROBLEMS
    printed = capsys.readouterr().out
    assert "replayed from the log: not the same" in printed
    assert any(row.split()[:2] == ["propensity", "0x1.0000000000000p-3"] for row in printed.splitlines())


def test_what_cannot_be_replayed_says_why(
    scene: DecisionScene, directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _replay(scene, directory, "0" * 32) == exits.PROBLEMS
    assert "is not in the log" in capsys.readouterr().err
    answer = scene.decide(scene.new_listener())
    line = _line(scene, answer.decision_id)
    line.decision_id, line.campaigns_version = "e" * 32, "lost"
    _produce(scene, Topic.DECISIONS, line.request.customer_id, line.SerializeToString())
    assert _replay(scene, directory, "e" * 32) == exits.PROBLEMS
    assert "campaign document 'lost' is not in Kafka" in capsys.readouterr().err
    assert _replay(scene, directory / "elsewhere", answer.decision_id) == exits.PROBLEMS
    assert "cannot replay: missing" in capsys.readouterr().err


def test_one_key_is_read_from_the_partition_that_the_producer_chose(scene: DecisionScene) -> None:
    customers = range(1, 41)
    for customer_id in customers:
        _produce(scene, Topic.INTERESTS, customer_id, b"cli")
    records = [each for each in read_to_end(scene.stack.kafka, Topic.INTERESTS) if each.value() == b"cli"]
    partitions = {each.key(): each.partition() for each in records}
    count = 1 + max(number for number in partitions.values() if number is not None)
    assert partitions == {b"%d" % customer_id: partition_of(b"%d" % customer_id, count) for customer_id in customers}
    found = list(read_to_end(scene.stack.kafka, Topic.INTERESTS, key=b"7"))
    assert {each.partition() for each in found} == {partitions[b"7"]}
    assert b"7" in {each.key() for each in found}


def test_a_document_is_tried_on_the_log(
    scene: DecisionScene, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = scene.decide(scene.new_listener())
    _line(scene, answer.decision_id)
    same, off = tmp_path / "same.yaml", tmp_path / "off.yaml"
    same.write_text(DOCUMENT)
    off.write_text(f"campaigns: [{{campaign_id: {CAMPAIGN}, enabled: false}}, {{campaign_id: new}}]")
    line = ["campaign", "dry-run", "--hours", "1", "--kafka", scene.stack.kafka]
    assert main([*line, str(same)]) == exits.OK
    ours = next(part for part in capsys.readouterr().out.split("\n\n") if part.startswith(f"{CAMPAIGN}: "))
    assert "0 with another reason" in ours
    assert main([*line, str(off)]) == exits.OK
    printed = capsys.readouterr().out
    ours = next(part for part in printed.split("\n\n") if part.startswith(f"{CAMPAIGN}: "))
    assert "→ 0 (0.0%)" in ours
    assert {row.split()[1] for row in ours.splitlines()[2:]} == {"SWITCHED_OFF"}
    assert "no decision of these campaigns is in the log: new" in printed


def test_lift_counts_conversions_of_both_groups(scene: DecisionScene, capsys: pytest.CaptureFixture[str]) -> None:
    customers = [scene.new_listener() for _ in range(30)]
    answers = {customer_id: scene.decide(customer_id) for customer_id in customers}
    for answer in answers.values():
        _line(scene, answer.decision_id)
    converted = {
        side: next(customer_id for customer_id in customers if answers[customer_id].reason == side)
        for side in (pb.REASON_SHOW, pb.REASON_HOLDOUT)
    }
    before = _lift(scene, capsys)
    for customer_id in converted.values():
        event = events_pb2.AdEvent(
            event_id=f"{customer_id}/sold",
            customer_id=customer_id,
            kind=events_pb2.AD_EVENT_KIND_CONVERSION,
            at_ms=time.time_ns() // 1_000_000,
            campaign_id="any",
        )
        _produce(scene, Topic.AD_EVENTS, customer_id, event.SerializeToString())
    _produce(scene, Topic.AD_EVENTS, customers[0], b"\xff")
    after = _lift(scene, capsys)
    for group, side in (("shown", pb.REASON_SHOW), ("withheld", pb.REASON_HOLDOUT)):
        reached = sum(answer.reason == side for answer in answers.values())
        assert before[group][0] == after[group][0] >= reached
        assert after[group][1] == before[group][1] + 1


def _lift(scene: DecisionScene, capsys: pytest.CaptureFixture[str]) -> dict[str, tuple[int, int]]:
    """Customers and conversions of each group."""
    assert main(["lift", CAMPAIGN, "--hours", "1", "--kafka", scene.stack.kafka]) == exits.OK
    printed = capsys.readouterr().out
    assert "lift " in printed
    assert "50.00% promised" in printed
    rows = [row.split() for row in printed.split("\n\n")[1].splitlines()]
    return {row[0]: (int(row[1]), int(row[2])) for row in rows if row[0] in ("shown", "withheld")}


@pytest.mark.parametrize("line", [["lift", "a"], ["replay", "0" * 32], ["dlq", "list"]])
def test_kafka_that_is_not_there_is_a_problem(
    line: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topic_reading, "_ANSWER_SECONDS", 0.5)
    assert main([*line, "--kafka", f"{LOOPBACK}:{free_port()}"]) == exits.PROBLEMS
    assert capsys.readouterr().err.startswith("interlude: ")


def test_a_campaign_that_reached_nobody_has_no_lift(scene: DecisionScene, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lift", "nobody", "--kafka", scene.stack.kafka]) == exits.PROBLEMS
    assert "reached nobody" in capsys.readouterr().err
