"""`enricher erase` on real Kafka and Redis: nothing is left anywhere, and no replay brings it back."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from confluent_kafka import KafkaException, Message

from devstack.stack import Stack
from devstack.topics import recreate_topics
from interlude.contacts.campaign import Campaign
from interlude.contacts.caps import Channel, Contact
from interlude.contacts.ledger import contacts_key, encode_contact, once_key
from interlude.events.topics import Topic
from interlude.features.codec import decode_state, state_key
from interlude.features.state import ListenerState
from interlude.servicekit.topic_reading import read_topic
from interlude.v1 import events_pb2 as pb
from services.decision.reported import reported_key
from services.sms.directory import profile_key
from services.sms.journal import RequestKey, entry_key, message_key
from tests.integration.enricher_scene import (
    DEADLINE_S,
    EnricherProcess,
    Progress,
    Sent,
    empty,
    history,
    launch_enricher,
    produce,
    redis_url,
    start_command,
    until,
    values_in,
)

DATABASE = 56
REPLAY_DATABASE = 57
CUSTOMERS = 40
ERASED = 10
BYSTANDER = 20
"""Two of the busy ones."""
CAMPAIGN = Campaign(campaign_id="gold")


class Scene:
    """Kafka with a history, an enricher that has folded it, and what other services keep of two customers."""

    def __init__(self, stack: Stack, group_id: str) -> None:
        self.stack = stack
        self.group_id = group_id
        self.client = redis.Redis.from_url(redis_url(stack, DATABASE))
        self._launched: list[EnricherProcess] = []
        for database in (DATABASE, REPLAY_DATABASE):
            empty(stack, database)
        recreate_topics(stack.kafka)
        self.records = history(CUSTOMERS, 3000)
        produce(stack.kafka, self.records)
        self.launch(group_id, DATABASE)
        self.catch_up(group_id)
        for customer_id in (ERASED, BYSTANDER):
            self.client.mset(others_keys(customer_id))

    def launch(self, group_id: str, database: int) -> EnricherProcess:
        """One more enricher."""
        self._launched.append(launch_enricher(self.stack, group_id, database))
        return self._launched[-1]

    def catch_up(self, group_id: str) -> None:
        """Wait until all that is in Kafka is folded."""
        progress = Progress(self.stack.kafka, group_id)
        progress.reach(1.0)
        progress.close()

    def run(self, *arguments: str, code: int = 0, answer: str = "") -> Any:
        """What a command prints, JSON where it ends well."""
        command = start_command(self.stack, self.group_id, DATABASE, *arguments)
        out, errors = command.communicate(answer, timeout=DEADLINE_S * 2)
        assert command.returncode == code, errors
        return errors if code else json.loads(out)

    def stop(self) -> None:
        """End all enrichers."""
        while self._launched:
            assert self._launched.pop().process.terminate() == 0

    def end(self) -> None:
        """End whatever still runs."""
        for enricher in self._launched:
            enricher.process.terminate()
        self.client.close()


@pytest.fixture
def scene(stack: Stack, group_id: str) -> Iterator[Scene]:
    """All of it."""
    running = Scene(stack, group_id)
    yield running
    running.end()


def others_keys(customer_id: int) -> dict[str, bytes]:
    """What decision and sms service keep of a customer."""
    event = pb.AdEvent(customer_id=customer_id, decision_id="d", kind=pb.AD_EVENT_KIND_CLICK)
    return {
        contacts_key(customer_id): encode_contact(Contact(1, 2, CAMPAIGN.campaign_hash, Channel.PLAYER)),
        once_key(customer_id, CAMPAIGN, Channel.PLAYER): b"1",
        reported_key(event): b"1",
        profile_key(customer_id): b"a profile with a phone",
        entry_key(RequestKey(customer_id, 1)): b"an entry",
        message_key(f"by-operator-{customer_id}x"): b"%d\0gold\0request" % customer_id,
    }


def traces_of(values: dict[bytes, bytes], customer_id: int) -> list[bytes]:
    """Keys that name the customer, and keys whose value begins with the id."""
    tag, owner = b"{%d}" % customer_id, b"%d\0" % customer_id
    return sorted(key for key, value in values.items() if tag in key or value.startswith(owner))


def state_in(stack: Stack, database: int, number: int = 0) -> ListenerState:
    """The state of the erased customer."""
    return decode_state(values_in(stack, database)[state_key(ERASED, number).encode()])


def newest_of(stack: Stack, topic: Topic, customer_id: int) -> Message:
    """The newest record of a key."""
    key = b"%d" % customer_id
    return [record for record in read_topic(stack.kafka, topic, key=key) if record.key() == key][-1]


def _is_nothing_but_erased(state: ListenerState) -> bool:
    return state == ListenerState(state.offsets, erased_at_ms=state.erased_at_ms) and state.erased_at_ms > 0


def test_a_customer_is_erased_everywhere_and_no_replay_brings_anything_back(scene: Scene, stack: Stack) -> None:
    before = values_in(stack, DATABASE)
    assert len(traces_of(before, ERASED)) == 8
    receipt = scene.run("erase", str(ERASED), "--yes")
    [customer] = receipt["customers"]
    assert customer["redis"] == {
        "state": {"found": 1, "removed": 0},
        "features": {"found": 1, "removed": 0},  # the enricher was quicker
        "contacts": {"found": 1, "removed": 1},
        "campaigns that contact once": {"found": 1, "removed": 1},
        "reported outcomes": {"found": 1, "removed": 1},
        "profile for texts": {"found": 1, "removed": 1},
        "texts, by request": {"found": 1, "removed": 1},
        "texts, by the operator's id": {"found": 1, "removed": 1},
    }
    assert (customer["left_in_redis"], customer["events_after_the_erasure"]) == ([f"s:{{{ERASED}}}"], False)

    after = values_in(stack, DATABASE)
    assert traces_of(after, ERASED) == [b"s:{%d}" % ERASED]
    assert _is_nothing_but_erased(state_in(stack, DATABASE))
    # Everybody else is as before.
    assert {key: value for key, value in after.items() if b"{%d}" % ERASED not in key} == {
        key: value for key, value in before.items() if key not in traces_of(before, ERASED)
    }
    newest = newest_of(stack, Topic.CUSTOMERS, ERASED)
    assert pb.Customer.FromString(newest.value() or b"") == pb.Customer(
        customer_id=ERASED, erased_at_ms=receipt["erased_at_ms"]
    )
    assert receipt["kafka"]["customers"]["holds"] == "the erasure, newest of its key"
    assert receipt["kafka"]["listens"]["older_records_gone_by"].startswith("never")
    assert f"listens.{scene.group_id}.dlq" not in receipt["kafka"]
    assert "listens.enricher.dlq" in receipt["kafka"]

    told = _interests_of(stack, ERASED)
    assert told > 0
    _replay(scene, stack)
    assert _interests_of(stack, ERASED) == told
    assert _interests_of(stack, BYSTANDER) > 0
    summary = scene.run("rebuild", "--verify")
    assert (summary["verified"]["different"], summary["verified"]["missing"]) == (0, 0)
    assert traces_of(values_in(stack, DATABASE), ERASED) == [b"s1:{%d}" % ERASED]
    assert _is_nothing_but_erased(state_in(stack, DATABASE, 1))


def _interests_of(stack: Stack, customer_id: int) -> int:
    """How often something was told of a customer: what is erased is not told again."""
    key = b"%d" % customer_id
    return sum(record.key() == key for record in read_topic(stack.kafka, Topic.INTERESTS, key=key))


def _replay(scene: Scene, stack: Stack) -> None:
    """A group that has never read anything, into an empty Redis; then the same events once more, as if they were late."""
    replay = f"{scene.group_id}-replay"
    scene.launch(replay, REPLAY_DATABASE)
    scene.catch_up(replay)
    assert traces_of(values_in(stack, REPLAY_DATABASE), ERASED) == [b"s:{%d}" % ERASED]
    late: list[Sent] = [sent for sent in scene.records if sent.customer_id == ERASED and sent.message is not None]
    assert len(late) > 50
    produce(stack.kafka, late)
    for group_id, database in ((replay, REPLAY_DATABASE), (scene.group_id, DATABASE)):
        scene.catch_up(group_id)
        assert traces_of(values_in(stack, database), ERASED) == [b"s:{%d}" % ERASED]
        assert _is_nothing_but_erased(state_in(stack, database))


def test_a_file_erases_many_at_once(scene: Scene, stack: Stack, tmp_path: Path) -> None:
    path = tmp_path / "ids.txt"
    path.write_text(f"{ERASED}\n{BYSTANDER}\n{ERASED}\n999999\n")
    receipt = scene.run("erase", "--file", str(path), "--yes")
    assert [customer["customer_id"] for customer in receipt["customers"]] == [ERASED, BYSTANDER, 999999]
    after = values_in(stack, DATABASE)
    for customer_id in (ERASED, BYSTANDER, 999999):
        assert traces_of(after, customer_id) == [b"s:{%d}" % customer_id]


def test_without_an_enricher_the_erasure_holds_and_the_command_says_what_is_left(scene: Scene, stack: Stack) -> None:
    scene.stop()
    said = scene.run("erase", str(ERASED), "--yes", "--wait-seconds", "1", code=1)
    assert "hold" in said
    assert len(traces_of(values_in(stack, DATABASE), ERASED)) == 8
    scene.launch(scene.group_id, DATABASE)
    assert scene.run("erase", str(ERASED), "--yes")["customers"][0]["left_in_redis"] == [f"s:{{{ERASED}}}"]


def test_what_a_killed_rebuild_left_half_made_is_erased_as_well(scene: Scene, stack: Stack) -> None:
    value = scene.client.get(f"s:{{{ERASED}}}")
    assert isinstance(value, bytes)
    scene.client.mset({f"s1:{{{ERASED}}}": value, f"f1:{{{ERASED}}}": value})
    scene.run("erase", str(ERASED), "--yes")
    assert traces_of(values_in(stack, DATABASE), ERASED) == [b"s:{%d}" % ERASED]


def _records_in(bootstrap: str) -> int | None:
    """How many there are; None while topics that were just made have no leaders."""
    try:
        progress = Progress(bootstrap, "nobody")
    except KafkaException:
        return None
    progress.close()
    return progress.end


@pytest.mark.parametrize(
    ("arguments", "answer", "said"),
    [
        ((str(ERASED),), "no\n", "not confirmed"),
        ((str(ERASED),), "", "not confirmed"),
        (("12x", "--yes"), "", "'12x' is not a customer id"),
        (("9223372036854775808", "--yes"), "", "is not a customer id"),
        (("--file", "/nowhere/ids.txt", "--yes"), "", "cannot be read"),
    ],
)
def test_nothing_is_erased_without_a_clear_order(
    stack: Stack, arguments: tuple[str, ...], answer: str, said: str, system_topics: str
) -> None:
    command = start_command(stack, "nobody", DATABASE, "erase", *arguments)
    _, errors = command.communicate(answer, timeout=DEADLINE_S)
    assert command.returncode == 1
    assert said in errors
    until(lambda: _records_in(system_topics) == 0, "something was written")
