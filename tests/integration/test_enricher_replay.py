"""A history folded whatever happens to the enricher and to Redis on the way: the same bytes as when nothing happens."""

import struct
import threading
from collections.abc import Iterator
from itertools import count

import pytest
from confluent_kafka import Consumer, TopicPartition

from devstack.faulty_proxy import FaultyProxy
from devstack.stack import Part, Stack
from devstack.topics import recreate_topics
from interlude.events.conversion import to_listen
from interlude.events.topics import Topic
from interlude.features.codec import ProfileFlag, decode_hot
from interlude.features.schema import LISTENS_KEPT, STATE_FEATURE_NAMES
from interlude.features.state import Event, Listen
from interlude.v1 import events_pb2 as pb
from tests.integration.enricher_scene import (
    DEADLINE_S,
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
from tests.unit.features import oracle

CUSTOMERS = 300
RECORDS = 30_000
UNDISTURBED_DATABASE = 20
_databases = count(21)
SMALL_BATCHES = {"ENRICHER_BATCH_RECORDS": "50"}


@pytest.fixture(scope="module")
def records(stack: Stack) -> list[Sent]:
    """The history, in Kafka."""
    recreate_topics(stack.kafka)
    sent = history(CUSTOMERS, RECORDS)
    produce(stack.kafka, sent)
    return sent


@pytest.fixture(scope="module")
def undisturbed(stack: Stack, records: list[Sent]) -> dict[bytes, bytes]:
    """What an enricher leaves that nobody disturbs."""
    assert len(records) > RECORDS
    empty(stack, UNDISTURBED_DATABASE)
    enricher = launch_enricher(stack, "undisturbed", UNDISTURBED_DATABASE)
    try:
        progress = Progress(stack.kafka, "undisturbed")
        progress.reach(1.0)
        progress.close()
    finally:
        assert enricher.process.terminate() == 0
    return values_in(stack, UNDISTURBED_DATABASE)


class Run:
    """One more run over the same history, with a group and a database of its own."""

    def __init__(self, stack: Stack, group_id: str) -> None:
        self.database = next(_databases)
        self.progress = Progress(stack.kafka, group_id)
        self._stack = stack
        self._group_id = group_id
        self._launched: list[EnricherProcess] = []
        empty(stack, self.database)

    def launch(self, **settings: str) -> EnricherProcess:
        """One more enricher of this run."""
        self._launched.append(launch_enricher(self._stack, self._group_id, self.database, SMALL_BATCHES | settings))
        return self._launched[-1]

    def rebuild(self) -> int:
        """Makes all states anew; the exit code."""
        command = start_command(self._stack, self._group_id, self.database, "rebuild")
        command.communicate(timeout=DEADLINE_S)
        return command.returncode

    def finish(self) -> dict[bytes, bytes]:
        """Waits until all is folded; what lies in Redis then."""
        self.progress.reach(1.0)
        return in_generation_0(values_in(self._stack, self.database))

    def end(self) -> None:
        """Ends whatever still runs."""
        for enricher in self._launched:
            enricher.process.terminate()
        self.progress.close()


@pytest.fixture
def run(stack: Stack, undisturbed: dict[bytes, bytes], group_id: str) -> Iterator[Run]:
    """A run to disturb."""
    assert undisturbed
    running = Run(stack, group_id)
    yield running
    running.end()


def _listens_by_customer(records: list[Sent]) -> dict[int, list[Listen]]:
    listens: dict[int, list[Listen]] = {customer_id: [] for customer_id in range(CUSTOMERS)}
    for _, customer_id, message in records:
        if isinstance(message, pb.Listen):
            listens[customer_id].append(to_listen(message))
    return listens


def _profiles(records: list[Sent]) -> dict[int, pb.Customer | None]:
    """The newest profile of every customer; none where the last record is a tombstone."""
    newest: dict[int, pb.Customer | None] = {}
    for topic, customer_id, message in records:
        known = newest.get(customer_id)
        if message is None:
            newest[customer_id] = None
        elif isinstance(message, pb.Customer) and (known is None or message.updated_at_ms > known.updated_at_ms):
            newest[customer_id] = message
        assert message is not None or topic is Topic.CUSTOMERS
    return newest


def test_protobuf_and_json_events_end_as_the_oracle_says(undisturbed: dict[bytes, bytes], records: list[Sent]) -> None:
    assert len(undisturbed) == 2 * CUSTOMERS
    profiles = _profiles(records)
    for customer_id, listens in _listens_by_customer(records).items():
        hot = decode_hot(undisturbed[b"f:{%d}" % customer_id])
        profile = profiles[customer_id]
        events: list[Event] = [*listens]
        kept = oracle.kept_listens(events)
        expected = oracle.features(kept, profile.time_zone if profile else "")
        assert struct.unpack("<6f", hot.vector) == pytest.approx(
            [expected[name] for name in STATE_FEATURE_NAMES], abs=1e-6
        )
        assert hot.newest_listen_ms == kept[-1].played_at_ms
        assert hot.session_tracks == len(oracle.session(kept))
        assert hot.listening_hour_began_ms == oracle.listening_hour_began_ms([listen.played_at_ms for listen in kept])
        assert hot.level == (profile.level if profile else 0)
        assert bool(hot.flags & ProfileFlag.KNOWN) == (profile is not None)
        assert bool(hot.flags & ProfileFlag.CONSENT_PLAYER_OFFERS) == bool(profile and profile.consent_player_offers)


def test_interests_are_those_of_the_oracle(stack: Stack, undisturbed: dict[bytes, bytes], records: list[Sent]) -> None:
    assert undisturbed
    found: dict[int, set[tuple[int, int]]] = {}
    for interest in _interests(stack.kafka):
        found.setdefault(interest.customer_id, set()).add((interest.track_id, interest.window_end_ms))
    quiet = {
        customer_id: listens
        for customer_id, listens in _listens_by_customer(records).items()
        if len(set(listens)) <= LISTENS_KEPT
    }
    times = {listen.event_hash: listen.played_at_ms for listens in quiet.values() for listen in listens}
    expected = {
        customer_id: {(track_id, times[closing]) for track_id, closing in oracle.closing_listens(listens)}
        for customer_id, listens in quiet.items()
    }
    assert sum(map(len, expected.values())) > 20
    assert {customer_id: found.get(customer_id, set()) for customer_id in quiet} == expected


def _interests(bootstrap: str) -> list[pb.Interest]:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "reader", "enable.partition.eof": True})
    partitions = consumer.list_topics(Topic.INTERESTS, timeout=DEADLINE_S).topics[Topic.INTERESTS].partitions
    consumer.assign([TopicPartition(Topic.INTERESTS, partition, 0) for partition in partitions])
    interests, ended = [], 0
    while ended < len(partitions):
        message = consumer.poll(DEADLINE_S)
        assert message is not None
        if message.error():
            ended += 1
        else:
            interests.append(pb.Interest.FromString(message.value() or b""))
    consumer.close()
    return interests


def test_killing_the_enricher_five_times_leaves_the_same_bytes(run: Run, undisturbed: dict[bytes, bytes]) -> None:
    for number in range(1, 6):
        enricher = run.launch()
        run.progress.reach(number / 7)
        enricher.process.kill()
        assert run.progress.committed() < run.progress.end, "the replay was over before it was disturbed"
    run.launch()
    assert run.finish() == undisturbed


def test_while_redis_stands_still_the_enricher_waits_and_then_goes_on(
    stack: Stack, run: Run, undisturbed: dict[bytes, bytes]
) -> None:
    enricher = run.launch()
    run.progress.reach(1 / 5)
    stack.pause(Part.REDIS)
    try:
        until(lambda: "Redis" in enricher.waits_for(), "the enricher did not say that it waits for Redis")
        standing = run.progress.committed()
        assert standing < run.progress.end
        # Some more attempts fail: each waits for the whole time-out.
        for _ in range(20):
            assert "Redis" in enricher.waits_for()
            assert run.progress.committed() == standing
    finally:
        stack.resume(Part.REDIS)
    assert run.finish() == undisturbed
    assert enricher.waits_for() == ""
    assert enricher.process.terminate() == 0


def test_a_redis_that_comes_back_empty_is_written_to_again_once_it_is_rebuilt(
    stack: Stack, run: Run, undisturbed: dict[bytes, bytes]
) -> None:
    enricher = run.launch()
    run.progress.reach(1 / 5)
    stack.kill(Part.REDIS)
    try:
        until(lambda: "Redis" in enricher.waits_for(), "the enricher did not say that it waits for Redis")
    finally:
        stack.restart(Part.REDIS)
    until(lambda: "lost its data" in enricher.waits_for(), "the loss was not seen")
    # A state begun now would take all that was before for a repetition.
    assert values_in(stack, run.database) == {}
    assert run.rebuild() == 0
    assert run.finish() == undisturbed
    assert enricher.process.terminate() == 0


def test_enrichers_that_join_and_leave_on_the_way_leave_the_same_bytes(
    run: Run, undisturbed: dict[bytes, bytes]
) -> None:
    first = run.launch()
    second = run.launch()
    for enricher in (first, second):
        enricher.process.wait_until_ready()
    applied = "interlude_enricher_events_total"
    until(lambda: min(first.sample(applied), second.sample(applied)) > 0, "one of them had nothing to do")
    assert first.process.terminate() == 0
    assert run.progress.committed() < run.progress.end, "the replay was over before it was disturbed"
    assert run.finish() == undisturbed


def test_a_kafka_that_dies_and_comes_back_leaves_the_same_bytes(
    stack: Stack, run: Run, undisturbed: dict[bytes, bytes]
) -> None:
    enricher = run.launch()
    run.progress.reach(1 / 5)
    assert run.progress.committed() < run.progress.end, "the replay was over before it was disturbed"
    stack.kill(Part.KAFKA)
    stack.restart(Part.KAFKA)
    assert run.finish() == undisturbed
    assert enricher.process.terminate() == 0


def test_a_write_that_comes_after_the_partitions_went_to_another_changes_nothing(
    stack: Stack, run: Run, undisturbed: dict[bytes, bytes]
) -> None:
    is_read, goes_on = threading.Event(), threading.Event()

    def hold_states(data: bytes) -> None:
        if b"\r\n$" in data:  # an answer with values: states that were read
            is_read.set()
            assert goes_on.wait(DEADLINE_S)

    with FaultyProxy(redis_url(stack, run.database)) as proxy:
        late = run.launch(ENRICHER_REDIS_URL=proxy.url, ENRICHER_REDIS_TIMEOUT_MS="60000")
        run.progress.reach(1 / 5)
        proxy.watch = hold_states
        assert is_read.wait(DEADLINE_S), "the replay was over before it was disturbed"
        assert run.progress.committed() < run.progress.end
        late.process.pause()
        try:
            run.launch()
            assert run.finish() == undisturbed
        finally:
            late.process.resume()
            goes_on.set()
        until(lambda: late.sample("interlude_enricher_conflicts_total") > 0, "the late write was not refused")
        until(lambda: late.waits_for() == "", "the late enricher does not go on")
        assert run.finish() == undisturbed
        assert late.process.terminate() == 0
