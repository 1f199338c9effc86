"""The Kafka loop on a real Kafka: nothing is lost, whatever the handler or the group does."""

import threading
from collections.abc import Sequence
from dataclasses import replace

import pytest
from confluent_kafka import Message
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions

from devstack.stack import Part, Stack
from interlude.servicekit.consumer_settings import ConsumerSettings
from interlude.servicekit.consuming import ConsumerLoop
from interlude.servicekit.equal_partitions import UnequalPartitions
from interlude.servicekit.errors import Unavailable
from interlude.servicekit.telemetry import Health
from tests.integration.conftest import TopicSet
from tests.integration.consuming_scene import (
    PARTITIONS,
    RECORDS,
    Member,
    Recorder,
    committed,
    is_in_order,
    joined,
    produce,
)
from tests.integration.enricher_scene import DEADLINE_S, until


@pytest.fixture
def settings(topic_set: TopicSet, group_id: str) -> ConsumerSettings:
    """Two topics with equal partitions; small batches."""
    topics = (topic_set.name("listens"), topic_set.name("ad-events"))
    return ConsumerSettings(topic_set.bootstrap, group_id, topics, "test", max_records=16, session_timeout_ms=1500)


def test_every_record_is_handled_once_in_order_and_committed(settings: ConsumerSettings) -> None:
    expected = produce(settings)
    with joined(settings, Recorder()) as member:
        until(lambda: len(member.handler.seen) >= RECORDS, "not all records were handled")
        assert member.health.missing == ""
    assert set(member.handler.seen) == expected
    assert is_in_order(member.handler.seen)
    assert committed(settings) == RECORDS


def test_a_restart_begins_where_the_last_one_ended(settings: ConsumerSettings) -> None:
    produce(settings)
    with joined(settings, Recorder()) as first:
        until(lambda: len(first.handler.seen) >= RECORDS, "not all records were handled")
    later = produce(settings, first=RECORDS // (PARTITIONS * 2))
    with joined(settings, Recorder()) as second:
        until(lambda: len(second.handler.seen) >= RECORDS, "not all records were handled")
    assert set(second.handler.seen) == later


def test_what_a_failing_handler_did_not_finish_is_handled_by_the_next(settings: ConsumerSettings) -> None:
    expected = produce(settings)
    batches = iter(range(7))

    def fail(_batch: Sequence[Message]) -> None:
        if next(batches, None) is None:
            raise ZeroDivisionError("a mistake in the handler")

    failing = Member(settings, Recorder(fail))
    failing.join()
    assert isinstance(failing.error, ZeroDivisionError)
    assert 0 < len(failing.handler.seen) < RECORDS
    assert committed(settings) == len(failing.handler.seen)
    with joined(settings, Recorder()) as second:
        until(lambda: {*failing.handler.seen, *second.handler.seen} == expected, "records were skipped")


def test_while_something_is_away_the_loop_waits_and_then_goes_on_without_a_gap(settings: ConsumerSettings) -> None:
    expected = produce(settings)
    refusals = iter(range(12))

    def refuse_now_and_then(batch: Sequence[Message]) -> None:
        if (batch[0].offset() or 0) % 3 == 0 and next(refusals, None) is not None:
            raise Unavailable("the kettle")

    with joined(settings, Recorder(refuse_now_and_then)) as member:
        until(lambda: member.health.missing == "the kettle", "the loop did not say what it waits for")
        until(lambda: len(member.handler.seen) >= RECORDS, "not all records were handled")
        until(lambda: member.health.missing == "", "the loop did not say that it goes on")
    assert set(member.handler.seen) == expected
    assert is_in_order(member.handler.seen)


def test_a_stop_while_waiting_commits_nothing_of_the_batch(settings: ConsumerSettings) -> None:
    expected = produce(settings)

    def refuse(_batch: Sequence[Message]) -> None:
        raise Unavailable("the kettle")

    with joined(settings, Recorder(refuse)) as member:
        until(lambda: member.health.missing == "the kettle", "the loop did not say what it waits for")
    assert member.error is None
    assert committed(settings) == 0
    with joined(settings, Recorder()) as second:
        until(lambda: set(second.handler.seen) == expected, "records were skipped")


def test_a_stop_does_not_wait_for_a_kafka_that_hangs(stack: Stack, settings: ConsumerSettings) -> None:
    produce(settings)
    member = Member(replace(settings, leave_timeout_ms=200), Recorder())
    until(lambda: len(member.handler.seen) >= RECORDS, "not all records were handled")
    stack.pause(Part.KAFKA)
    try:
        member.stop()
    finally:
        stack.resume(Part.KAFKA)
    assert member.error is None


def test_a_second_member_takes_half_and_gives_it_back(settings: ConsumerSettings) -> None:
    with joined(settings, Recorder()) as first:
        until(lambda: first.health.missing == "", "the first member got no partitions")
        with joined(settings, Recorder()) as second:
            until(lambda: second.health.missing == "", "the second member got no partitions")
            expected = produce(settings)
            until(lambda: {*first.handler.seen, *second.handler.seen} >= expected, "records were skipped")
            partitions = [{seen[:2] for seen in member.handler.seen} for member in (first, second)]
            assert all(len(owned) == PARTITIONS for owned in partitions)
        before = len(first.handler.seen)
        later = produce(settings, first=RECORDS // (PARTITIONS * 2))
        until(lambda: set(first.handler.seen[before:]) >= later, "records were skipped")
    assert committed(settings) == 2 * RECORDS


def test_members_that_come_and_go_during_a_replay_lose_nothing(settings: ConsumerSettings) -> None:
    expected = produce(settings)
    gate = threading.Semaphore(0)

    def take_turns(_batch: Sequence[Message]) -> None:
        assert gate.acquire(timeout=DEADLINE_S)

    def is_ready_after_one_more_batch(member: Member) -> bool:
        gate.release()
        return not member.health.missing

    small_batches = replace(settings, max_records=2)
    with joined(small_batches, Recorder(take_turns)) as first:
        until(lambda: is_ready_after_one_more_batch(first), "the first member got no partitions")
        with joined(small_batches, Recorder(take_turns)) as second:
            until(lambda: is_ready_after_one_more_batch(second), "the second member got no partitions")
            assert len(first.handler.seen) < RECORDS, "the replay was over before it was disturbed"
            gate.release(RECORDS)
            until(lambda: {*first.handler.seen, *second.handler.seen} == expected, "records were skipped")
    assert committed(settings) == RECORDS


def test_partitions_taken_from_a_waiting_member_flow_again(settings: ConsumerSettings) -> None:
    expected = produce(settings)
    is_away = threading.Event()
    is_away.set()

    def refuse_while_away(_batch: Sequence[Message]) -> None:
        if is_away.is_set():
            raise Unavailable("the kettle")

    with joined(settings, Recorder(refuse_while_away)) as first:
        until(lambda: first.health.missing == "the kettle", "the loop did not say what it waits for")
        with joined(settings, Recorder()) as second:
            until(lambda: len(second.handler.seen) >= RECORDS // 2, "the second member got nothing")
            assert first.handler.seen == []
            is_away.clear()
            until(lambda: {*first.handler.seen, *second.handler.seen} == expected, "records were skipped")
        later = produce(settings, first=RECORDS // (PARTITIONS * 2))
        until(lambda: {*first.handler.seen, *second.handler.seen} == expected | later, "records were skipped")
    assert committed(settings) == 2 * RECORDS


def test_topics_with_unequal_partitions_are_refused_with_a_sentence(settings: ConsumerSettings) -> None:
    listens, ad_events = settings.topics
    admin = AdminClient({"bootstrap.servers": settings.bootstrap})
    [grown] = admin.create_partitions([NewPartitions(listens, 6)]).values()
    grown.result(DEADLINE_S)
    until(lambda: len(admin.list_topics(timeout=DEADLINE_S).topics[listens].partitions) == 6, "the topic did not grow")
    sentence = f"these topics must exist with equal numbers of partitions: {ad_events} 4, {listens} 6"
    with pytest.raises(UnequalPartitions, match=f"^{sentence}$"):
        ConsumerLoop(settings, Recorder(), Health()).run(threading.Event())


def test_a_topic_that_does_not_exist_is_refused_with_a_sentence(settings: ConsumerSettings) -> None:
    unknown = ConsumerSettings(settings.bootstrap, settings.group_id, (settings.topics[0], "nobody-made-this"), "test")
    with pytest.raises(UnequalPartitions, match="nobody-made-this 0, test-"):
        ConsumerLoop(unknown, Recorder(), Health()).run(threading.Event())
