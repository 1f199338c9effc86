"""The parts are real, end when their owner does, and come back on the same port."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from confluent_kafka import Consumer, Message, Producer
from confluent_kafka.admin import AdminClient

from devstack.places import REPOSITORY
from devstack.ports import is_open
from devstack.process import ChildProcess, ProcessFailed
from devstack.stack import Part, Stack
from devstack.topics import recreate_topics
from tests.integration.conftest import TopicSet

_DEADLINE_S = 30.0
_MEGABYTES_2 = 2_000_000

_OWNER = """
import json, signal
from devstack.stack import Part, Stack
# Where the tests run in the background of a script, or under nohup, these are ignored, and so they are in what they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
with Stack.start({Part.REDIS, Part.SMSC}) as stack:
    pids = [stack.process(part).pid for part in stack.parts]
    print(json.dumps({"pids": pids, "directory": str(stack.directory)}), flush=True)
    signal.pause()
"""


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, what


def _is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # A killed process whose new parent has not collected it yet is gone as well.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def _produce(bootstrap: str, topic: str, value: bytes) -> None:
    errors: list[object] = []
    producer = Producer({"bootstrap.servers": bootstrap, "message.max.bytes": 3_000_000})
    producer.produce(topic, value, key=b"1", on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(_DEADLINE_S) == 0
    assert errors == [None]


def _consume(bootstrap: str, topic: str, group: str) -> Message:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    try:
        message = consumer.poll(_DEADLINE_S)
        assert message is not None
        assert message.error() is None
        return message
    finally:
        consumer.close()


def test_kafka_carries_a_value_of_two_megabytes(topic_set: TopicSet, group_id: str) -> None:
    _produce(topic_set.bootstrap, topic_set.name("listens"), b"x" * _MEGABYTES_2)
    message = _consume(topic_set.bootstrap, topic_set.name("listens"), group_id)
    assert message.value() == b"x" * _MEGABYTES_2


def test_topics_are_never_created_by_asking_for_them(stack: Stack) -> None:
    admin = AdminClient({"bootstrap.servers": stack.kafka})
    admin.list_topics("nobody-made-this", timeout=_DEADLINE_S)
    assert "nobody-made-this" not in admin.list_topics(timeout=_DEADLINE_S).topics


def test_all_topics_about_customers_have_the_same_number_of_partitions(system_topics: str) -> None:
    topics = AdminClient({"bootstrap.servers": system_topics}).list_topics(timeout=_DEADLINE_S).topics
    names = ("listens", "ad-events", "customers", "decisions", "interests", "sms-requests", "sms-events")
    assert {len(topics[name].partitions) for name in names} == {4}
    assert "campaigns" in topics
    assert {"listens.enricher.dlq", "sms-events.enricher.dlq", "customers.sms.dlq"} <= set(topics)


def test_recreated_topics_are_empty(system_topics: str, stack: Stack, group_id: str) -> None:
    _produce(system_topics, "listens", b"before")
    recreate_topics(stack.kafka)
    _produce(system_topics, "listens", b"after")
    assert _consume(system_topics, "listens", group_id).value() == b"after"


def test_redis_is_empty_and_answers(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        assert client.set("key", "value")


def test_a_killed_redis_comes_back_empty_on_the_same_port() -> None:
    with Stack.start({Part.REDIS}) as own:
        url = own.redis
        with redis.Redis.from_url(url) as client:
            client.set("key", "value")
        own.kill(Part.REDIS)
        assert not own.process(Part.REDIS).alive
        own.restart(Part.REDIS)
        assert own.redis == url
        with redis.Redis.from_url(url) as client:
            assert client.get("key") is None


def test_a_paused_redis_answers_nothing_until_it_is_resumed() -> None:
    with Stack.start({Part.REDIS}) as own:
        own.pause(Part.REDIS)
        impatient = redis.Redis.from_url(own.redis, socket_timeout=0.2, retry=None)
        with impatient as client, pytest.raises(redis.exceptions.TimeoutError):
            client.ping()
        own.resume(Part.REDIS)
        with redis.Redis.from_url(own.redis, socket_timeout=_DEADLINE_S) as client:
            assert client.ping()


def test_a_killed_kafka_comes_back_with_its_records_on_the_same_port(
    stack: Stack, topic_set: TopicSet, group_id: str
) -> None:
    bootstrap = stack.kafka
    _produce(bootstrap, topic_set.name("listens"), b"kept")
    stack.restart(Part.KAFKA)
    assert stack.kafka == bootstrap
    assert _consume(bootstrap, topic_set.name("listens"), group_id).value() == b"kept"


def test_a_part_that_was_not_asked_for_is_named_in_the_error() -> None:
    with Stack.start({Part.REDIS}) as own, pytest.raises(LookupError, match="kafka"):
        _ = own.kafka


def _start_owner() -> tuple[subprocess.Popen[str], list[int], Path]:
    owner = subprocess.Popen([sys.executable, "-c", _OWNER], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)
    assert owner.stdout is not None
    said = json.loads(owner.stdout.readline())
    owner.stdout.close()
    return owner, said["pids"], Path(said["directory"])


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_the_owner_ends_the_parts_and_removes_their_directory(end: signal.Signals) -> None:
    owner, pids, directory = _start_owner()
    assert directory.is_dir()
    owner.send_signal(end)
    owner.wait(_DEADLINE_S)
    assert all(_is_gone(pid) for pid in pids)
    assert not directory.exists()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells a child that its parent has died")
def test_a_killed_owner_leaves_no_process_and_the_next_removes_its_directory() -> None:
    owner, pids, directory = _start_owner()
    owner.kill()
    owner.wait(_DEADLINE_S)
    _until(lambda: all(_is_gone(pid) for pid in pids), "a part outlived its owner")
    assert directory.is_dir()
    with Stack.start({Part.REDIS}):
        assert not directory.exists()


def test_an_early_death_shows_the_end_of_the_log(tmp_path: Path) -> None:
    code = "import sys; print('the reason'); sys.exit(3)"
    child = ChildProcess("short-lived", [sys.executable, "-c", code], log=tmp_path / "child.log")
    child.start()
    with pytest.raises(ProcessFailed, match=r"(?s)short-lived ended with code 3 .*the reason"):
        child.wait_ready(lambda: False, _DEADLINE_S)


def test_a_child_that_never_gets_ready_is_reported(tmp_path: Path) -> None:
    child = ChildProcess("sleeper", ["sleep", "60"], log=tmp_path / "child.log")
    child.start()
    try:
        with pytest.raises(ProcessFailed, match="sleeper was not ready within 0 s"):
            child.wait_ready(lambda: False, 0.1)
    finally:
        child.kill()


def test_a_paused_child_can_be_terminated(tmp_path: Path) -> None:
    child = ChildProcess("sleeper", ["sleep", "60"], log=tmp_path / "child.log")
    child.start()
    child.pause()
    assert child.terminate(_DEADLINE_S) == -signal.SIGTERM


def test_a_killed_operator_comes_back_on_the_same_port() -> None:
    with Stack.start({Part.SMSC}) as own:
        port = own.smsc.port
        own.kill(Part.SMSC)
        assert not is_open(port)
        own.restart(Part.SMSC)
        assert own.smsc.port == port
        assert is_open(port)
