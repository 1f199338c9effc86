"""The Kafka loop with a placement, on a real Kafka: begins where it is told, and goes back without a record of before."""

import threading
from collections.abc import Sequence
from dataclasses import replace

import pytest
from confluent_kafka import Message, Producer

from interlude.servicekit.bounded_reading import BoundedReader
from interlude.servicekit.consumer_settings import ConsumerSettings, GroupProtocol
from interlude.servicekit.consuming import ConsumerLoop
from interlude.servicekit.errors import Unavailable
from interlude.servicekit.group_offsets import Committed, GroupOffsets
from interlude.servicekit.placing import BEGINNING, Rewind
from interlude.servicekit.records import Place, place_of
from interlude.servicekit.telemetry import Health
from tests.integration.conftest import TopicSet
from tests.integration.enricher_scene import DEADLINE_S, until

EACH = 300
PARTITIONS = 4


class Era:
    """A placement: offsets hold in the era that they were reached in. `begins`: where the era begins, by partition number."""

    def __init__(self, name: str, begins: dict[int, int] | None = None) -> None:
        self.name = name
        self.begins = begins or {}
        self.is_over = False

    def metadata(self) -> str:
        return self.name

    def start(self, place: Place, offset: int | None, metadata: str) -> int:
        return offset if offset is not None and metadata == self.name else self.restart(place)

    def restart(self, place: Place) -> int:
        return self.begins.get(place.partition, BEGINNING)

    def check(self) -> None:
        if self.is_over:
            self.turn()

    def turn(self) -> None:
        """Another era has begun."""
        self.is_over = False
        self.name += "'"
        raise Rewind(self.name)


class Reader:
    """Writes down what it handled, by partition. Turns the era when it has seen `turn_at` records; is away before, if told so."""

    def __init__(self, era: Era, turn_at: int = -1, *, away_before: bool = False) -> None:
        self.seen: dict[Place, list[int]] = {}
        self.before: dict[Place, list[int]] = {}
        self._era = era
        self._turn_at = turn_at
        self._is_away = away_before

    def handle(self, batch: Sequence[Message]) -> None:
        if 0 <= self._turn_at <= self.count:
            if self._is_away:
                self._is_away = False
                raise Unavailable("a moment")
            self._turn_at = -1
            self.before, self.seen = self.seen, {}
            self._era.turn()
        for record in batch:
            self.seen.setdefault(place_of(record), []).append(record.offset() or 0)

    @property
    def count(self) -> int:
        """Records seen since the era turned."""
        return sum(map(len, self.seen.values()))


class Run:
    """A loop in a thread."""

    def __init__(self, settings: ConsumerSettings, era: Era, reader: Reader) -> None:
        self._stop = threading.Event()
        loop = ConsumerLoop(settings, reader, Health(), era)
        self._thread = threading.Thread(target=loop.run, args=(self._stop,))
        self._thread.start()

    def end(self) -> None:
        """As SIGTERM does."""
        self._stop.set()
        self._thread.join(DEADLINE_S)


@pytest.fixture(params=list(GroupProtocol))
def settings(request: pytest.FixtureRequest, topic_set: TopicSet, group_id: str) -> ConsumerSettings:
    """Two topics of four partitions with `EACH` records each, under both protocols."""
    topics = (topic_set.name("listens"), topic_set.name("ad-events"))
    made = ConsumerSettings(topic_set.bootstrap, group_id, topics, "test", max_records=16, session_timeout_ms=6000)
    _produce(made)
    return replace(made, protocol=request.param)


def _produce(settings: ConsumerSettings) -> None:
    producer = Producer({"bootstrap.servers": settings.bootstrap})
    for topic in settings.topics:
        for partition in range(PARTITIONS):
            for number in range(EACH):
                producer.produce(topic, b"%d" % number, partition=partition)
    assert producer.flush(DEADLINE_S) == 0


def _committed(settings: ConsumerSettings) -> dict[Place, Committed]:
    group = GroupOffsets(settings.bootstrap, settings.group_id, settings.topics)
    try:
        return group.committed(group.places())
    finally:
        group.close()


def _has_members(settings: ConsumerSettings) -> bool:
    group = GroupOffsets(settings.bootstrap, settings.group_id, settings.topics)
    try:
        return group.has_members()
    finally:
        group.close()


@pytest.mark.parametrize("away_before", [False, True])
def test_after_a_rewind_every_record_from_there_on_comes_once_and_in_order(
    settings: ConsumerSettings, away_before: bool
) -> None:
    begins = {0: 0, 1: 25, 2: 299}
    era = Era("first", begins)
    era.begins = {}
    reader = Reader(era, turn_at=400, away_before=away_before)
    turned = era.turn

    def turn() -> None:
        era.begins = begins
        turned()

    era.turn = turn  # type: ignore[method-assign]
    run = Run(settings, era, reader)
    expected = {
        Place(topic, partition): list(range(begins.get(partition, 0), EACH))
        for topic in settings.topics
        for partition in range(PARTITIONS)
    }
    try:
        until(lambda: reader.count >= sum(map(len, expected.values())), "not all came again")
    finally:
        run.end()
    assert reader.before
    assert reader.seen == expected
    assert _committed(settings) == {place: Committed(EACH, "first'") for place in expected}


def test_a_member_of_another_era_begins_where_that_one_begins_and_one_of_the_same_goes_on(
    settings: ConsumerSettings,
) -> None:
    for era, begin in ((Era("first"), 0), (Era("second", dict.fromkeys(range(PARTITIONS), 290)), 290)):
        reader = Reader(era)
        run = Run(settings, era, reader)
        try:
            until(lambda r=reader, b=begin: r.count == 2 * PARTITIONS * (EACH - b), "not all came")  # type: ignore[misc]
        finally:
            run.end()
        assert {offsets[0] for offsets in reader.seen.values()} == {begin}
    _produce(settings)
    again = Reader(Era("second"))
    run = Run(settings, Era("second"), again)
    try:
        until(lambda: again.count == 2 * PARTITIONS * EACH, "what is new did not come")
    finally:
        run.end()
    assert {offsets[0] for offsets in again.seen.values()} == {EACH}


def test_a_check_rewinds_though_nothing_arrives(settings: ConsumerSettings) -> None:
    era = Era("first")
    reader = Reader(era)
    run = Run(settings, era, reader)
    try:
        until(lambda: reader.count == 2 * PARTITIONS * EACH, "not all came")
        era.begins, era.is_over = dict.fromkeys(range(PARTITIONS), 250), True
        until(lambda: reader.count == 2 * PARTITIONS * (EACH + 50), "nothing came again")
        until(lambda: {each.metadata for each in _committed(settings).values()} == {"first'"}, "not committed")
        assert _has_members(settings)
    finally:
        run.end()
    until(lambda: not _has_members(settings), "it has not left")


def test_a_bounded_reader_gives_what_is_below_the_bounds_and_no_more(settings: ConsumerSettings) -> None:
    places = [Place(topic, partition) for topic in settings.topics for partition in range(PARTITIONS)]
    reader = BoundedReader(settings.bootstrap, "test", places)
    seen: dict[Place, list[int]] = {place: [] for place in places}

    def read_up_to(bounds: dict[Place, int]) -> None:
        reader.extend(bounds)
        until(lambda: take() == 0, "not all came")

    def take() -> int:
        for record in reader.read(40, 0.1):
            seen[place_of(record)].append(record.offset() or 0)
        return reader.remaining

    try:
        assert reader.remaining == 0
        assert (take(), seen[places[0]]) == (0, [])
        for bounds in (
            {places[3]: 100},
            dict.fromkeys(places, 10),
            {place: 11 + place.partition for place in places},
            {places[0]: 200},
            dict.fromkeys(places, EACH),
        ):
            read_up_to(bounds)
            ends = reader.ends
            assert all(ends[place] >= bound for place, bound in bounds.items())
            assert {place: list(range(end)) for place, end in ends.items()} == seen
    finally:
        reader.close()


def test_the_end_of_a_partition_does_not_count_what_is_held_as_read(settings: ConsumerSettings) -> None:
    place = Place(settings.topics[0], 0)
    reader = BoundedReader(settings.bootstrap, "test", [place])
    seen: list[int] = []

    def take() -> int:
        seen.extend(record.offset() or 0 for record in reader.read(10 * EACH, 0.5))
        return reader.remaining

    try:
        reader.extend({place: 5})
        until(lambda: take() == 0, "not all came")
        for _ in range(4):  # whatever else Kafka has to say, the end of the partition among it
            take()
        reader.extend({place: EACH})
        assert reader.remaining == EACH - 5
        until(lambda: take() == 0, "not all came")
        assert seen == list(range(EACH))
    finally:
        reader.close()
