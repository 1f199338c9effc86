"""`enricher rebuild` on real Kafka and Redis: the same bytes while events go on, and nobody who loses or doubles anything."""

import json
import signal
import subprocess
import threading
from collections.abc import Iterator
from itertools import count, cycle
from typing import Any
from urllib.error import URLError

import pytest
import redis

from devstack.stack import Stack
from devstack.topics import recreate_topics
from interlude.features.codec import decode_state
from interlude.features.generation import GENERATION_KEY, Generation, decode_generation, encode_generation
from interlude.servicekit.group_offsets import GroupOffsets
from interlude.servicekit.lifecycle import REFUSED_TO_START
from interlude.servicekit.redis import ConnectionPerThread
from services.decision.listeners import RedisListeners
from services.enricher.claim import CLAIM_KEY
from tests.integration.enricher_scene import (
    DEADLINE_S,
    READ_TOPICS,
    EnricherProcess,
    Progress,
    Sent,
    empty,
    history,
    in_generation_0,
    launch_enricher,
    produce,
    redis_url,
    start_command,
    until,
    values_in,
)

CUSTOMERS = 300
RECORDS = 20_000
ORACLE_DATABASE = 45
_databases = cycle(range(46, 56))
_oracles = count()


class Scene:
    """A group with a database of its own, its enrichers, and commands run beside them."""

    def __init__(self, stack: Stack, group_id: str) -> None:
        self.stack = stack
        self.group_id = group_id
        self.database = next(_databases)
        self.client = redis.Redis.from_url(redis_url(stack, self.database))
        self._launched: list[EnricherProcess] = []
        self._commands: list[subprocess.Popen[str]] = []
        empty(stack, self.database)

    def launch(self) -> EnricherProcess:
        """One more enricher."""
        settings = {"ENRICHER_BATCH_RECORDS": "200"}
        self._launched.append(launch_enricher(self.stack, self.group_id, self.database, settings))
        return self._launched[-1]

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Begin a command."""
        self._commands.append(start_command(self.stack, self.group_id, self.database, *arguments))
        return self._commands[-1]

    def finish(self, command: "subprocess.Popen[str]", code: int = 0) -> dict[str, Any]:
        """Wait for its end; what it printed."""
        out, errors = command.communicate(timeout=DEADLINE_S * 2)
        assert command.returncode == code, errors
        return json.loads(out) if out else {"stderr": errors}

    def finish_with_sentence(self, command: "subprocess.Popen[str]") -> str:
        """Wait for the end of one that fails; what it says."""
        _, errors = command.communicate(timeout=DEADLINE_S * 2)
        assert command.returncode == 1, errors
        return errors

    def rebuild(self, *options: str) -> dict[str, Any]:
        """A whole rebuild."""
        return self.finish(self.start("rebuild", *options))

    def catch_up(self) -> dict[bytes, bytes]:
        """Wait until all that is in Kafka is folded; the states and features, under the names of generation 0."""
        progress = Progress(self.stack.kafka, self.group_id)
        progress.reach(1.0)
        progress.close()
        return self.values()

    def values(self) -> dict[bytes, bytes]:
        """The same as they are now; nothing of any other generation may be there."""
        found = values_in(self.stack, self.database)
        number = self.number()
        assert all(key[1:].startswith(b"%d:" % number if number else b":") for key in found), "another generation"
        return in_generation_0(found)

    def number(self) -> int:
        """The generation in use."""
        document = self.client.get(GENERATION_KEY)
        assert document is None or isinstance(document, bytes)
        return decode_generation(document).number

    def end(self) -> None:
        """End all that still runs."""
        for command in self._commands:
            command.kill()
            command.communicate()
        for enricher in self._launched:
            enricher.process.terminate()
        self.client.close()


@pytest.fixture
def scene(stack: Stack, group_id: str) -> Iterator[Scene]:
    """A history in Kafka, nothing folded yet."""
    recreate_topics(stack.kafka)
    produce(stack.kafka, history(CUSTOMERS, RECORDS))
    running = Scene(stack, group_id)
    yield running
    running.end()


def _oracle(stack: Stack, group_id: str) -> dict[bytes, bytes]:
    """What an enricher that nobody disturbs leaves of everything that is in Kafka now."""
    empty(stack, ORACLE_DATABASE)
    group_id = f"{group_id}-oracle-{next(_oracles)}"
    enricher = launch_enricher(stack, group_id, ORACLE_DATABASE)
    try:
        progress = Progress(stack.kafka, group_id)
        progress.reach(1.0)
        progress.close()
    finally:
        assert enricher.process.terminate() == 0
    return values_in(stack, ORACLE_DATABASE)


def _says(enricher: EnricherProcess, what: str) -> bool:
    try:
        return what in enricher.waits_for()
    except URLError:
        return False  # it does not listen yet


def _differences(found: dict[bytes, bytes], expected: dict[bytes, bytes]) -> list[str]:
    """Which states differ, with the offsets of both: to see what was lost or doubled."""
    keys = sorted(key for key in {*found, *expected} if found.get(key) != expected.get(key))
    states = [key for key in keys if key.startswith(b"s:")]
    described = [
        f"{key.decode()}: {decode_state(found.get(key)).offsets} {decode_state(expected.get(key)).offsets}"
        for key in states
    ]
    return described or [key.decode() for key in keys]


class Traffic:
    """Events that go on, in a thread, until `stop`."""

    def __init__(self, stack: Stack, records: list[Sent], at_once: int = 100) -> None:
        self._stop = threading.Event()
        self.sent = 0

        def run() -> None:
            for start in range(0, len(records), at_once):
                if self._stop.wait(0.05):
                    return
                produce(stack.kafka, records[start : start + at_once])
                self.sent += len(records[start : start + at_once])

        self._thread = threading.Thread(target=run)
        self._thread.start()

    def stop(self) -> int:
        """How many were sent."""
        self._stop.set()
        self._thread.join(DEADLINE_S)
        return self.sent


class Readers:
    """Asks for the features of the same listeners without a pause, as decisions do; `unknown` counts answers without any."""

    def __init__(self, scene: Scene) -> None:
        self.reads = self.unknown = 0
        self._stop = threading.Event()
        connections = ConnectionPerThread(redis_url(scene.stack, scene.database), timeout_ms=5000)
        listeners = RedisListeners(connections, lambda: None)

        def run() -> None:
            while not self._stop.wait(0.002):
                found = listeners.read(range(0, CUSTOMERS, 7), 5.0)
                self.reads += 1
                self.unknown += sum(listener.features is None for listener in found)

        self._thread = threading.Thread(target=run)
        self._thread.start()

    def stop(self) -> None:
        """No more."""
        self._stop.set()
        self._thread.join(DEADLINE_S)


def test_a_rebuild_beside_traffic_ends_in_the_bytes_of_an_undisturbed_run(scene: Scene) -> None:
    first = scene.launch()
    scene.launch()
    scene.catch_up()
    traffic = Traffic(scene.stack, history(CUSTOMERS, 100_000, seed=2)[CUSTOMERS:])
    until(lambda: traffic.sent > 500, "no traffic")
    readers = Readers(scene)
    summary = scene.rebuild()
    sent_at_switch = traffic.sent
    assert (summary["switched"], summary["generation"], summary["adopted"]) == (True, 1, True), summary
    assert summary["events"] >= RECORDS
    assert summary["customers"] == CUSTOMERS
    assert summary["keys_removed"] == 2 * CUSTOMERS
    until(lambda: traffic.sent > sent_at_switch + 500, "no traffic after the switch")
    readers.stop()
    assert readers.reads > 100
    assert readers.unknown == 0
    # A member that knew nothing of generation 0, while one that did leaves.
    late = scene.launch()
    late.process.wait_until_ready()
    assert first.process.terminate() == 0
    until(lambda: traffic.sent > sent_at_switch + 2000, "no traffic after the change of members")
    assert traffic.stop() > 0
    folded = scene.catch_up()
    assert late.sample("interlude_enricher_generation") == 1
    assert _differences(folded, _oracle(scene.stack, scene.group_id)) == []


def test_a_second_rebuild_verifies_the_first(scene: Scene) -> None:
    scene.launch()
    folded = scene.catch_up()
    scene.rebuild()
    summary = scene.rebuild("--verify")
    assert summary["generation"] == 2
    assert summary["verified"] == {
        "equal": CUSTOMERS,
        "different": 0,
        "elsewhere": 0,
        "missing": 0,
        "first_different": None,
    }
    assert scene.catch_up() == folded


def test_states_that_differ_are_not_switched(scene: Scene) -> None:
    enricher = scene.launch()
    scene.catch_up()
    value = scene.client.get("f:{7}")
    assert isinstance(value, bytes)
    scene.client.set("f:{7}", value[:-1] + bytes([value[-1] ^ 1]))
    summary = scene.finish(scene.start("rebuild", "--verify"), code=1)
    assert (summary["switched"], summary["verified"]["different"]) == (False, 1)
    assert summary["verified"]["first_different"] == 7
    assert scene.number() == 0
    assert enricher.process.terminate() == 0


def test_a_rebuild_that_is_killed_leaves_what_was_in_use_and_the_next_one_begins_anew(scene: Scene) -> None:
    scene.launch()
    folded = scene.catch_up()
    killed = scene.start("rebuild")
    until(lambda: scene.client.exists("s1:{7}") == 1, "nothing was made")
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert scene.number() == 0
    half = {key: value for key, value in values_in(scene.stack, scene.database).items() if not key.startswith(b"s1")}
    assert {key: half[key] for key in folded} == folded
    # What is half made must not be taken for the beginning of the next one.
    scene.client.set("s1:{999999}", b"left over")
    scene.client.pexpire(CLAIM_KEY, 1)
    summary = scene.rebuild()
    assert (summary["switched"], summary["generation"]) == (True, 1)
    assert scene.catch_up() == folded


def test_of_two_rebuilds_at_once_the_second_ends_with_a_sentence(scene: Scene) -> None:
    scene.launch()
    scene.catch_up()
    first = scene.start("rebuild")
    until(lambda: scene.client.exists(CLAIM_KEY) == 1, "no claim")
    first.send_signal(signal.SIGSTOP)
    scene.client.persist(CLAIM_KEY)
    second = scene.start("rebuild")
    until(lambda: scene.client.pexpire(CLAIM_KEY, 60_000) == 1 and second.poll() is not None, "it did not end")
    assert "another rebuild is at work" in scene.finish(second, code=3)["stderr"]
    first.send_signal(signal.SIGCONT)
    assert scene.finish(first)["switched"] is True


def test_a_rebuild_whose_claim_ended_switches_nothing(scene: Scene) -> None:
    scene.launch()
    scene.catch_up()
    slow = scene.start("rebuild")
    until(lambda: scene.client.exists("s1:{7}") == 1, "nothing was made")
    slow.send_signal(signal.SIGSTOP)
    scene.client.delete(CLAIM_KEY)
    slow.send_signal(signal.SIGCONT)
    assert scene.finish(slow, code=3)["switched"] is False
    assert scene.number() == 0


def test_a_redis_that_lost_everything_is_restored_and_nothing_is_folded_before(scene: Scene) -> None:
    enricher = scene.launch()
    folded = scene.catch_up()
    scene.client.flushdb()
    produce(scene.stack.kafka, history(CUSTOMERS, 400, seed=3)[CUSTOMERS:])
    until(lambda: _says(enricher, "lost its data"), "the loss was not seen")
    assert scene.client.dbsize() == 0
    # One that starts anew sees it as well, and does not begin with half of the past.
    fresh = scene.launch()
    until(lambda: _says(fresh, "lost its data"), "the loss was not seen by a new one")
    assert scene.rebuild()["switched"] is True
    restored = scene.catch_up()
    until(lambda: enricher.waits_for() == "", "it is not ready again")
    assert restored.keys() == folded.keys()
    assert restored == _oracle(scene.stack, scene.group_id)


def test_without_anything_committed_there_is_nothing_to_rebuild(scene: Scene) -> None:
    assert "has committed nothing" in scene.finish(scene.start("rebuild"), code=1)["stderr"]


def test_a_generation_of_another_version_is_left_alone_until_a_rebuild_has_replaced_it(scene: Scene) -> None:
    running = scene.launch()
    folded = scene.catch_up()
    in_use = Generation(0, "1.1.of-another-version", 1)
    scene.client.set(GENERATION_KEY, encode_generation(in_use))
    # One that runs ends, one that starts waits outside of the group: it takes no partitions from those that work.
    assert running.process.wait(DEADLINE_S) == REFUSED_TO_START
    upgraded = scene.launch()
    until(lambda: _says(upgraded, in_use.schema), "it does not wait")
    produce(scene.stack.kafka, history(CUSTOMERS, 400, seed=4)[CUSTOMERS:])
    group = GroupOffsets(scene.stack.kafka, scene.group_id, READ_TOPICS)
    assert not group.has_members()
    group.close()
    assert values_in(scene.stack, scene.database) == folded
    assert "another schema" in scene.finish_with_sentence(scene.start("rebuild", "--verify"))
    assert scene.rebuild()["switched"] is True
    assert _differences(scene.catch_up(), _oracle(scene.stack, scene.group_id)) == []
