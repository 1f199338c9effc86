"""Kafka away for longer than memory lasts: decisions wait on disk, survive the service's own end, and reach Kafka at last."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from confluent_kafka import KafkaException, Message
from confluent_kafka.admin import AdminClient

from devstack.ports import LOOPBACK, free_port
from devstack.process import ProcessFailed
from devstack.stack import Part, Stack
from devstack.topics import create_topics
from interlude.events.topics import Topic
from interlude.servicekit.deafness import PATIENCE_SECONDS
from interlude.v1 import decision_pb2 as pb
from tests.integration.decision_scene import (
    UNHURRIED,
    DecisionScene,
    read_topic,
    running,
    until,
    value_of,
)

_SPILLED = "interlude_decision_log_spilled_total"
_RESENT = "interlude_decision_log_resent_total"
_DROPPED = "interlude_decision_log_dropped_total"
_STOP_S = 60.0


@pytest.fixture(scope="module")
def own_stack() -> Iterator[Stack]:
    """A Kafka that may be stopped and killed, and a Redis."""
    with Stack.start({Part.KAFKA, Part.REDIS}) as stack:
        create_topics(stack.kafka)
        yield stack


@contextmanager
def _service(stack: Stack, directory: Path, **settings: str) -> Iterator[DecisionScene]:
    """A service that keeps in `directory` what Kafka does not take; told to stop it gives Kafka little time."""
    spill = {"DECISION_SPILL_DIRECTORY": str(directory / "spill"), **settings}
    logs = directory / f"run-{len(list(directory.glob('run-*')))}"
    logs.mkdir()
    with running(stack, logs, settings={**UNHURRIED, **spill}) as scene:
        yield scene


def _is_back(stack: Stack) -> bool:
    """Whether Kafka answers: a broker that stood still has to find its own controller again."""
    try:
        return bool(AdminClient({"bootstrap.servers": stack.kafka}).list_topics(timeout=5).topics)
    except KafkaException:
        return False


def _about(customers: list[int]) -> Callable[[Message], bool]:
    keys = {b"%d" % customer_id for customer_id in customers}
    return lambda record: record.key() in keys


def _ask(scene: DecisionScene, count: int) -> list[int]:
    """Questions about new customers, each answered as if nothing were amiss."""
    customers = [scene.new_listener() for _ in range(count)]
    answers = [scene.decide(customer_id) for customer_id in customers]
    assert all(answer.rung != pb.RUNG_NO_FEATURES for answer in answers)
    return customers


def _ids(records: list[Message]) -> set[str]:
    return {pb.DecisionLogged.FromString(value_of(record)).decision_id for record in records}


def _has_wondered(logs: Path) -> bool:
    """Whether a service had no answer for as long as a client is trusted, and began to count anew."""
    found = re.findall(r'"silent_seconds": ([0-9.]+)', "".join(log.read_text() for log in logs.glob("*.log")))
    silences = [float(seconds) for seconds in found]
    return any(before >= PATIENCE_SECONDS > after for before, after in pairwise(silences))


def test_decisions_outlast_the_service_while_kafka_is_away(own_stack: Stack, tmp_path: Path) -> None:
    with _service(own_stack, tmp_path) as scene:
        _ask(scene, 5)
        own_stack.kill(Part.KAFKA)
        customers = _ask(scene, 40)
        scene.process.terminate()
    assert list((tmp_path / "spill").glob("*.spill"))
    own_stack.restart(Part.KAFKA)
    with _service(own_stack, tmp_path) as scene:
        until(lambda: scene.sample(_RESENT, topic=Topic.DECISIONS) >= 40, "nothing was sent again", _STOP_S)
        records = read_topic(own_stack.kafka, Topic.DECISIONS, _about(customers), 40)
        assert len(_ids(records)) == 40
        assert dict(records[0].headers() or [])["ce_type"] == b"interlude.v1.DecisionLogged"
        until(lambda: scene.sample("interlude_decision_spill_bytes") == 0, "segments are left", _STOP_S)
        assert scene.sample(_DROPPED) == 0


def test_what_waits_on_disk_is_sent_once_a_stopped_kafka_goes_on(own_stack: Stack, tmp_path: Path) -> None:
    with _service(own_stack, tmp_path) as scene:
        own_stack.pause(Part.KAFKA)
        try:
            customers = _ask(scene, 30)
            scene.process.terminate()
        finally:
            own_stack.resume(Part.KAFKA)
    until(lambda: _is_back(own_stack), "Kafka does not go on", _STOP_S)
    with _service(own_stack, tmp_path):
        records = read_topic(own_stack.kafka, Topic.DECISIONS, _about(customers), 30)
        assert len(_ids(records)) == 30


def test_without_a_disk_decisions_wait_for_a_kafka_that_is_away_longer_than_a_client_is_trusted(
    own_stack: Stack, tmp_path: Path
) -> None:
    with running(own_stack, tmp_path, settings={**UNHURRIED, "DECISION_SPILL_DIRECTORY": ""}) as scene:
        _ask(scene, 5)
        own_stack.kill(Part.KAFKA)
        customers = _ask(scene, 40)
        until(lambda: _has_wondered(tmp_path), "nobody wonders whether the client is deaf", _STOP_S)
        own_stack.restart(Part.KAFKA)
        assert len(_ids(read_topic(own_stack.kafka, Topic.DECISIONS, _about(customers), 40))) == 40
        assert scene.sample(_DROPPED) == 0


def test_a_killed_service_leaves_what_was_on_disk_to_the_next(own_stack: Stack, tmp_path: Path) -> None:
    nobody = {"DECISION_KAFKA_BOOTSTRAP": f"{LOOPBACK}:{free_port()}"}
    with _service(own_stack, tmp_path, **nobody) as scene:
        customers = _ask(scene, 20)
        scene.process.terminate()
    with _service(own_stack, tmp_path, **nobody) as scene:
        until(lambda: scene.sample("interlude_decision_spill_bytes") > 0, "nothing waits", _STOP_S)
        scene.process.kill()
    with _service(own_stack, tmp_path):
        assert len(_ids(read_topic(own_stack.kafka, Topic.DECISIONS, _about(customers), 20))) == 20


def test_a_second_service_does_not_start_in_the_same_directory(own_stack: Stack, tmp_path: Path) -> None:
    with (
        _service(own_stack, tmp_path),
        pytest.raises(ProcessFailed, match="is used by another process"),
        _service(own_stack, tmp_path),
    ):
        pass
