"""Topics with events get more partitions: nothing is lost, nothing is counted twice, on a real Kafka."""

import json
import subprocess
import sys

import pytest
from confluent_kafka.admin import AdminClient

from devstack.service import service_environment
from devstack.stack import Stack
from devstack.topics import recreate_topics
from interlude.events.topics import Topic
from interlude.features.codec import decode_state, encode_hot
from interlude.features.state import NO_OFFSETS, partition_at
from interlude.servicekit.partitioning import partition_of
from tests.integration.enricher_scene import (
    DEADLINE_S,
    Progress,
    Sent,
    empty,
    history,
    launch_enricher,
    produce,
    values_in,
)

CUSTOMERS = 120
RECORDS = 6000
BEFORE = 4
AFTER = 8
GROWN_DATABASE = 40
NEVER_GROWN_DATABASE = 41


def _fold(stack: Stack, group_id: str, database: int, records: list[Sent]) -> float:
    """Let one enricher fold `records` besides what is there; how many events it found out of order."""
    produce(stack.kafka, records)
    enricher = launch_enricher(stack, group_id, database)
    try:
        progress = Progress(stack.kafka, group_id)
        progress.reach(1.0)
        progress.close()
        return enricher.sample("interlude_enricher_out_of_order_total")
    finally:
        assert enricher.process.terminate() == 0


def _grow(stack: Stack, group_id: str, partitions: int) -> subprocess.CompletedProcess[str]:
    environment = {
        "ENRICHER_METRICS_PORT": "1",
        "ENRICHER_KAFKA_BOOTSTRAP": stack.kafka,
        "ENRICHER_REDIS_URL": stack.redis,
        "ENRICHER_GROUP_ID": group_id,
    }
    command = [sys.executable, "-m", "services.enricher.grow", str(partitions), "--quiet-seconds", "0.2"]
    return subprocess.run(
        command, env=service_environment(environment), capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )


def _contents(values: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """Of every customer what is known, whatever the place in the log at which it was known."""
    states = {key: decode_state(value)._replace(offsets=NO_OFFSETS) for key, value in values.items() if key[:1] == b"s"}
    return {key: repr(state).encode() + encode_hot(state) for key, state in states.items()}


@pytest.fixture
def halves() -> tuple[list[Sent], list[Sent]]:
    """What happened before the growth, and after."""
    records = history(CUSTOMERS, RECORDS, seed=7)
    return records[: RECORDS // 2], records[RECORDS // 2 :]


def test_a_grown_topic_leaves_what_one_that_never_grew_leaves(
    stack: Stack, group_id: str, halves: tuple[list[Sent], list[Sent]]
) -> None:
    early, late = halves
    recreate_topics(stack.kafka, BEFORE)
    empty(stack, GROWN_DATABASE)
    assert _fold(stack, group_id, GROWN_DATABASE, early) == 0
    done = _grow(stack, group_id, AFTER)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"topics": dict.fromkeys(Topic, BEFORE), "partitions": AFTER}
    topics = AdminClient({"bootstrap.servers": stack.kafka}).list_topics(timeout=DEADLINE_S).topics
    assert {len(topics[topic].partitions) for topic in Topic} == {AFTER}
    assert _fold(stack, group_id, GROWN_DATABASE, late) == 0
    grown = values_in(stack, GROWN_DATABASE)

    recreate_topics(stack.kafka, BEFORE)
    empty(stack, NEVER_GROWN_DATABASE)
    _fold(stack, f"{group_id}-never", NEVER_GROWN_DATABASE, [*early, *late])
    never_grown = values_in(stack, NEVER_GROWN_DATABASE)
    assert _contents(grown) == _contents(never_grown)
    assert {key: value for key, value in grown.items() if key[:1] == b"f"} == {
        key: value for key, value in never_grown.items() if key[:1] == b"f"
    }
    moved = [number for number in range(CUSTOMERS) if partition_of(b"%d" % number, AFTER) >= BEFORE]
    assert len(moved) > CUSTOMERS / 4
    offsets = [decode_state(grown[b"s:{%d}" % number]).offsets[0] for number in moved]
    assert min(map(partition_at, offsets)) >= BEFORE, "somebody's last listen is not from the new partition"


def test_before_the_enrichers_have_caught_up_nothing_grows(
    stack: Stack, group_id: str, halves: tuple[list[Sent], list[Sent]]
) -> None:
    recreate_topics(stack.kafka, BEFORE)
    produce(stack.kafka, halves[0])
    done = _grow(stack, group_id, AFTER)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f"the enrichers are {len(halves[0])} records behind")
    topics = AdminClient({"bootstrap.servers": stack.kafka}).list_topics(timeout=DEADLINE_S).topics
    assert len(topics[Topic.LISTENS].partitions) == BEFORE
