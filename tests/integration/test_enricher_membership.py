"""How members share partitions on a real Kafka: with both protocols, with names of their own, and after they were thought dead."""

import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

import pytest
from confluent_kafka import KafkaException, Message
from confluent_kafka.admin import AdminClient

from devstack.stack import Part, Stack
from interlude.events.topics import Topic
from interlude.servicekit.consumer_settings import ConsumerSettings, GroupProtocol
from interlude.servicekit.errors import Unavailable
from tests.integration.conftest import TopicSet
from tests.integration.consuming_scene import (
    ANSWER_SECONDS,
    PARTITIONS,
    RECORDS,
    Recorder,
    committed,
    joined,
    produce,
)
from tests.integration.enricher_scene import DEADLINE_S, until

STREAMS = (Topic.LISTENS, Topic.AD_EVENTS, Topic.CUSTOMERS)
Assignment = dict[str, dict[str, frozenset[int]]]
"""By member and topic, the partitions."""
_REJOINED_S = 150.0


@pytest.fixture(params=list(GroupProtocol))
def settings(topic_set: TopicSet, group_id: str, request: pytest.FixtureRequest) -> ConsumerSettings:
    """The three topics of the enricher, with either protocol."""
    return ConsumerSettings(
        topic_set.bootstrap,
        group_id,
        tuple(topic_set.name(topic) for topic in STREAMS),
        "test",
        max_records=16,
        session_timeout_ms=1500,
        protocol=request.param,
    )


def _assignment(settings: ConsumerSettings) -> Assignment:
    """What Kafka says that each member has; members without any are left out, and a group that is only coming into being."""
    admin = AdminClient({"bootstrap.servers": settings.bootstrap})
    groups = admin.describe_consumer_groups([settings.group_id], request_timeout=ANSWER_SECONDS)
    try:
        members = groups[settings.group_id].result(DEADLINE_S).members
    except KafkaException:
        return {}
    shares: Assignment = {}
    for member in members:
        for partition in member.assignment.topic_partitions:
            share = shares.setdefault(member.client_id, {})
            share[partition.topic] = share.get(partition.topic, frozenset()) | {partition.partition}
    return shares


def _is_shared_out(settings: ConsumerSettings, members: int) -> bool:
    """Whether so many members have all partitions of all topics between them, and each the same ones of every topic."""
    shares = _assignment(settings)
    counts = [sum(map(len, share.values())) for share in shares.values()]
    if len(shares) != members or sum(counts) != PARTITIONS * len(settings.topics):
        return False
    assert all(len(share) == len(settings.topics) and len(set(share.values())) == 1 for share in shares.values()), (
        shares
    )
    return True


def test_every_member_has_the_same_partitions_of_all_topics(settings: ConsumerSettings) -> None:
    with ExitStack() as group:
        for number in range(1, PARTITIONS + 1):
            group.enter_context(joined(replace(settings, client_id=f"member-{number}"), Recorder()))
            until(partial(_is_shared_out, settings, number), f"{number} members do not share all")


def test_a_member_that_joins_takes_a_share_and_gives_it_back_when_it_leaves(settings: ConsumerSettings) -> None:
    each = RECORDS // (PARTITIONS * len(settings.topics))
    with joined(settings, Recorder()) as first:
        until(lambda: first.health.missing == "", "the first member got no partitions")
        with joined(replace(settings, client_id="second"), Recorder()) as second:
            until(lambda: _is_shared_out(settings, 2), "the two do not share all")
            expected = produce(settings)
            until(lambda: {*first.handler.seen, *second.handler.seen} == expected, "records were skipped")
            assert len(second.handler.seen) == len(first.handler.seen)
        later = produce(settings, first=each)
        until(lambda: set(first.handler.seen) >= later, "records were skipped")
    assert len(first.handler.seen) + len(second.handler.seen) == len(expected | later), "a record was handled twice"
    assert committed(settings) == len(expected | later)


def test_a_named_member_that_restarts_keeps_its_partitions_and_disturbs_nobody(settings: ConsumerSettings) -> None:
    named = replace(settings, session_timeout_ms=10_000)
    with joined(replace(named, client_id="other", instance_id="other"), Recorder()) as other:
        with joined(replace(named, client_id="named", instance_id="named"), Recorder()):
            until(lambda: _is_shared_out(settings, 2), "the two do not share all")
            before = _assignment(settings)
        assert _assignment(settings)["other"] == before["other"]
        expected = produce(settings)
        theirs = {seen for seen in expected if seen[1] in next(iter(before["named"].values()))}
        with joined(replace(named, client_id="named", instance_id="named"), Recorder()) as again:
            until(lambda: set(again.handler.seen) == theirs, "the restarted member has other partitions than before")
            assert _assignment(settings) == before
        assert set(other.handler.seen) == expected - theirs


def test_while_kafka_stands_still_longer_than_a_session_nothing_is_lost(
    stack: Stack, settings: ConsumerSettings
) -> None:
    expected = produce(settings)
    with joined(settings, Recorder()) as member:
        until(lambda: set(member.handler.seen) == expected, "records were skipped")
        stack.pause(Part.KAFKA)
        try:
            threading.Event().wait(3)
        finally:
            stack.resume(Part.KAFKA)
        later = produce(settings, first=RECORDS // (PARTITIONS * len(settings.topics)))
        until(lambda: set(member.handler.seen) == expected | later, "records were skipped")
        # A member whom Kafka took for dead joins anew, and under KIP-848 the dead one may keep its partitions for 45 s.
        until(lambda: committed(settings) == len(expected | later), "what was handled was not committed", _REJOINED_S)
    assert member.error is None


def test_what_waits_when_kafka_takes_partitions_is_left_to_their_next_owner(settings: ConsumerSettings) -> None:
    expected = produce(settings)
    is_away = threading.Event()
    is_away.set()

    def refuse_while_away(_batch: Sequence[Message]) -> None:
        if is_away.is_set():
            raise Unavailable("the kettle")

    with joined(settings, Recorder(refuse_while_away)) as first:
        until(lambda: first.health.missing == "the kettle", "the loop did not say what it waits for")
        with joined(settings, Recorder()) as second:
            until(lambda: len(second.handler.seen) >= len(expected) // 2, "the second member got nothing")
            assert first.handler.seen == []
            is_away.clear()
            until(lambda: {*first.handler.seen, *second.handler.seen} == expected, "records were skipped")
    assert len(first.handler.seen) + len(second.handler.seen) == len(expected), "a record was handled twice"
