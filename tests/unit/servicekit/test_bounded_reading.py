"""Reading up to bounds that move on, from a Kafka in memory that compacts, prefetches and tells of ends."""

from typing import Any

import pytest
from confluent_kafka import KafkaError, Message, TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from interlude.servicekit import bounded_reading
from interlude.servicekit.bounded_reading import BoundedReader
from interlude.servicekit.records import Place, place_of

PLACES = (Place("a", 0), Place("a", 1), Place("b", 0))


class FakeConsumer:
    """Partitions as lists of the offsets that are left in them, each ending at `end`; partitions in turn, as in one answer."""

    logs: dict[Place, list[int]]
    end: int

    def __init__(self, _settings: dict[str, Any], logger: object) -> None:
        assert logger
        self._places: dict[Place, int] = {}
        self._paused: set[Place] = set()
        self._told_end: set[Place] = set()

    def get_watermark_offsets(self, _partition: TopicPartition, timeout: float) -> tuple[int, int]:
        assert timeout
        return 0, self.end

    def assign(self, partitions: list[TopicPartition]) -> None:
        self._places = {Place(each.topic, each.partition): 0 for each in partitions}

    def pause(self, partitions: list[TopicPartition]) -> None:
        self._paused |= {Place(each.topic, each.partition) for each in partitions}

    def resume(self, partitions: list[TopicPartition]) -> None:
        gone = {Place(each.topic, each.partition) for each in partitions}
        self._told_end -= gone & self._paused
        self._paused -= gone

    def consume(self, most: int, _timeout: float) -> list[Message]:
        found: list[Message] = []
        for place, position in self._places.items():
            if place in self._paused or len(found) >= most:
                continue
            offsets = [offset for offset in self.logs[place] if offset >= position][: most - len(found)]
            found += [Message(topic=place.topic, partition=place.partition, offset=offset) for offset in offsets]
            self._places[place] = offsets[-1] + 1 if offsets else self.end
            if len(found) < most and place not in self._told_end:
                self._told_end.add(place)
                end = KafkaError(KafkaError._PARTITION_EOF)
                found.append(Message(topic=place.topic, partition=place.partition, offset=self.end, error=end))
        return found

    def close(self) -> None:
        """Nothing to close."""


@pytest.fixture(autouse=True)
def _kafka_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_reading, "Consumer", FakeConsumer)


END = 30
_logs = st.fixed_dictionaries({place: st.lists(st.integers(0, END - 1), unique=True).map(sorted) for place in PLACES})
_bounds = st.lists(st.dictionaries(st.sampled_from(PLACES), st.integers(0, END)), max_size=6)


@given(logs=_logs, bounds=_bounds, most=st.integers(1, 100))
def test_everything_below_the_bounds_comes_once_in_order_and_nothing_beyond(
    logs: dict[Place, list[int]], bounds: list[dict[Place, int]], most: int
) -> None:
    FakeConsumer.logs, FakeConsumer.end = logs, END
    reader = BoundedReader("nowhere", "test", PLACES)
    highest = dict.fromkeys(PLACES, 0)
    seen: dict[Place, list[int]] = {place: [] for place in PLACES}
    for step in bounds:
        reader.extend(step)
        highest = {place: max(bound, step.get(place, 0)) for place, bound in highest.items()}
        turns = 0
        while reader.remaining:
            turns += 1
            assert turns < 500, "it does not get there"
            for record in reader.read(most, 0.0):
                seen[place_of(record)].append(record.offset() or 0)
        assert reader.ends == highest
        assert seen == {place: [offset for offset in logs[place] if offset < highest[place]] for place in PLACES}
