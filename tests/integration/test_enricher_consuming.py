"""The Kafka loop on a real Kafka: nothing is lost, whatever the handler or the group does."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions

from devstack.stack import Part, Stack
from interlude.servicekit.consumer_settings import ConsumerSettings
from interlude.servicekit.consuming import ConsumerLoop
from interlude.servicekit.equal_partitions import UnequalPartitions
from interlude.servicekit.errors import Unavailable
from interlude.servicekit.telemetry import Health
from tests.integration.conftest import TopicSet
from tests.integration.enricher_scene import DEADLINE_S, until

RECORDS = 400
PARTITIONS = 4

Seen = tuple[str, int, int]


class Recorder:
    """Writes down what it handled. `before` runs first and may raise."""

    def __init__(self, before: Callable[[Sequence[Message]], None] = lambda _batch: None) -> None:
        self.seen: list[Seen] = []
        self._before = before

    def handle(self, batch: Sequence[Message]) -> None:
        self._before(batch)
        self.seen += [(record.topic() or "", record.partition() or 0, record.offset() or 0) for record in batch]


class Member:
    """A loop in a thread of its own."""

    def __init__(self, settings: ConsumerSettings, handler: Recorder) -> None:
        self.handler = handler
        self.health = Health()
        self.error: Exception | None = None
        self._stop = threading.Event()
        self._loop = ConsumerLoop(settings, handler, self.health)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._loop.run(self._stop)
        except Exception as error:
            self.error = error

    def join(self) -> None:
        """Waits for its end."""
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()

    def stop(self) -> None:
        """As SIGTERM does."""
        self._stop.set()
        self.join()


@pytest.fixture
def settings(topic_set: TopicSet, group_id: str) -> ConsumerSettings:
    """Two topics with equal partitions; small batches."""
    topics = (topic_set.name("listens"), topic_set.name("ad-events"))
    return ConsumerSettings(topic_set.bootstrap, group_id, topics, "test", max_records=16, session_timeout_ms=1500)


@contextmanager
def _member(settings: ConsumerSettings, handler: Recorder) -> Iterator[Member]:
    member = Member(settings, handler)
    try:
        yield member
    finally:
        member.stop()


def _produce(settings: ConsumerSettings, first: int = 0) -> set[Seen]:
    """`RECORDS` more records, spread evenly; what a handler should see of them."""
    producer = Producer({"bootstrap.servers": settings.bootstrap})
    each = RECORDS // (PARTITIONS * len(settings.topics))
    expected = set()
    for topic in settings.topics:
        for partition in range(PARTITIONS):
            for offset in range(first, first + each):
                producer.produce(topic, b"%d" % offset, partition=partition)
                expected.add((topic, partition, offset))
    assert producer.flush(DEADLINE_S) == 0
    return expected


def _committed(settings: ConsumerSettings) -> int:
    admin = AdminClient({"bootstrap.servers": settings.bootstrap})
    [request] = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(settings.group_id)]).values()
    partitions: list[TopicPartition] = request.result(DEADLINE_S).topic_partitions
    return sum(max(partition.offset, 0) for partition in partitions)


def _is_in_order(seen: list[Seen]) -> bool:
    """Whether each partition's records came in the order of their offsets, each once."""
    by_partition: dict[tuple[str, int], list[int]] = {}
    for topic, partition, offset in seen:
        by_partition.setdefault((topic, partition), []).append(offset)
    return all(later == earlier + 1 for offsets in by_partition.values() for earlier, later in pairwise(offsets))


def test_every_record_is_handled_once_in_order_and_committed(settings: ConsumerSettings) -> None:
    expected = _produce(settings)
    with _member(settings, Recorder()) as member:
        until(lambda: len(member.handler.seen) >= RECORDS, "not all records were handled")
        assert member.health.missing == ""
    assert set(member.handler.seen) == expected
    assert _is_in_order(member.handler.seen)
    assert _committed(settings) == RECORDS


def test_a_restart_begins_where_the_last_one_ended(settings: ConsumerSettings) -> None:
    _produce(settings)
    with _member(settings, Recorder()) as first:
        until(lambda: len(first.handler.seen) >= RECORDS, "not all records were handled")
    later = _produce(settings, first=RECORDS // (PARTITIONS * 2))
    with _member(settings, Recorder()) as second:
        until(lambda: len(second.handler.seen) >= RECORDS, "not all records were handled")
    assert set(second.handler.seen) == later


def test_what_a_failing_handler_did_not_finish_is_handled_by_the_next(settings: ConsumerSettings) -> None:
    expected = _produce(settings)
    batches = iter(range(7))

    def fail(_batch: Sequence[Message]) -> None:
        if next(batches, None) is None:
            raise ZeroDivisionError("a mistake in the handler")

    failing = Member(settings, Recorder(fail))
    failing.join()
    assert isinstance(failing.error, ZeroDivisionError)
    assert 0 < len(failing.handler.seen) < RECORDS
    assert _committed(settings) == len(failing.handler.seen)
    with _member(settings, Recorder()) as second:
        until(lambda: {*failing.handler.seen, *second.handler.seen} == expected, "records were skipped")


def test_while_something_is_away_the_loop_waits_and_then_goes_on_without_a_gap(settings: ConsumerSettings) -> None:
    expected = _produce(settings)
    refusals = iter(range(12))

    def refuse_now_and_then(batch: Sequence[Message]) -> None:
        if (batch[0].offset() or 0) % 3 == 0 and next(refusals, None) is not None:
            raise Unavailable("the kettle")

    with _member(settings, Recorder(refuse_now_and_then)) as member:
        until(lambda: member.health.missing == "the kettle", "the loop did not say what it waits for")
        until(lambda: len(member.handler.seen) >= RECORDS, "not all records were handled")
        until(lambda: member.health.missing == "", "the loop did not say that it goes on")
    assert set(member.handler.seen) == expected
    assert _is_in_order(member.handler.seen)


def test_a_stop_while_waiting_commits_nothing_of_the_batch(settings: ConsumerSettings) -> None:
    expected = _produce(settings)

    def refuse(_batch: Sequence[Message]) -> None:
        raise Unavailable("the kettle")

    with _member(settings, Recorder(refuse)) as member:
        until(lambda: member.health.missing == "the kettle", "the loop did not say what it waits for")
    assert member.error is None
    assert _committed(settings) == 0
    with _member(settings, Recorder()) as second:
        until(lambda: set(second.handler.seen) == expected, "records were skipped")


def test_a_stop_does_not_wait_for_a_kafka_that_hangs(stack: Stack, settings: ConsumerSettings) -> None:
    _produce(settings)
    member = Member(replace(settings, leave_timeout_ms=200), Recorder())
    until(lambda: len(member.handler.seen) >= RECORDS, "not all records were handled")
    stack.pause(Part.KAFKA)
    try:
        member.stop()
    finally:
        stack.resume(Part.KAFKA)
    assert member.error is None


def test_a_second_member_takes_half_and_gives_it_back(settings: ConsumerSettings) -> None:
    with _member(settings, Recorder()) as first:
        until(lambda: first.health.missing == "", "the first member got no partitions")
        with _member(settings, Recorder()) as second:
            until(lambda: second.health.missing == "", "the second member got no partitions")
            expected = _produce(settings)
            until(lambda: {*first.handler.seen, *second.handler.seen} >= expected, "records were skipped")
            partitions = [{seen[:2] for seen in member.handler.seen} for member in (first, second)]
            assert all(len(owned) == PARTITIONS for owned in partitions)
        before = len(first.handler.seen)
        later = _produce(settings, first=RECORDS // (PARTITIONS * 2))
        until(lambda: set(first.handler.seen[before:]) >= later, "records were skipped")
    assert _committed(settings) == 2 * RECORDS


def test_members_that_come_and_go_during_a_replay_lose_nothing(settings: ConsumerSettings) -> None:
    expected = _produce(settings)
    gate = threading.Semaphore(0)

    def take_turns(_batch: Sequence[Message]) -> None:
        assert gate.acquire(timeout=DEADLINE_S)

    def is_ready_after_one_more_batch(member: Member) -> bool:
        gate.release()
        return not member.health.missing

    small_batches = replace(settings, max_records=2)
    with _member(small_batches, Recorder(take_turns)) as first:
        until(lambda: is_ready_after_one_more_batch(first), "the first member got no partitions")
        with _member(small_batches, Recorder(take_turns)) as second:
            until(lambda: is_ready_after_one_more_batch(second), "the second member got no partitions")
            assert len(first.handler.seen) < RECORDS, "the replay was over before it was disturbed"
            gate.release(RECORDS)
            until(lambda: {*first.handler.seen, *second.handler.seen} == expected, "records were skipped")
    assert _committed(settings) == RECORDS


def test_partitions_taken_from_a_waiting_member_flow_again(settings: ConsumerSettings) -> None:
    expected = _produce(settings)
    is_away = threading.Event()
    is_away.set()

    def refuse_while_away(_batch: Sequence[Message]) -> None:
        if is_away.is_set():
            raise Unavailable("the kettle")

    with _member(settings, Recorder(refuse_while_away)) as first:
        until(lambda: first.health.missing == "the kettle", "the loop did not say what it waits for")
        with _member(settings, Recorder()) as second:
            until(lambda: len(second.handler.seen) >= RECORDS // 2, "the second member got nothing")
            assert first.handler.seen == []
            is_away.clear()
            until(lambda: {*first.handler.seen, *second.handler.seen} == expected, "records were skipped")
        later = _produce(settings, first=RECORDS // (PARTITIONS * 2))
        until(lambda: {*first.handler.seen, *second.handler.seen} == expected | later, "records were skipped")
    assert _committed(settings) == 2 * RECORDS


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
