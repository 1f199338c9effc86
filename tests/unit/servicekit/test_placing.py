"""Where partitions begin, as Kafka and a placement say."""

import threading

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from interlude.servicekit.placing import starts_of
from interlude.servicekit.records import Place
from interlude.servicekit.telemetry import Health


class FakeConsumer:
    """Answers what is committed, after `failures` times that it does not."""

    def __init__(self, offset: int, metadata: str, failures: int = 0) -> None:
        self._answer = (offset, metadata)
        self.failures = failures

    def committed(self, partitions: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        assert timeout > 0
        if self.failures:
            self.failures -= 1
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        return [TopicPartition(each.topic, each.partition, *self._answer) for each in partitions]


class Noted:
    """A placement that writes down what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Place, int | None, str]] = []

    def metadata(self) -> str:
        return ""

    def start(self, place: Place, offset: int | None, metadata: str) -> int:
        self.asked.append((place, offset, metadata))
        return 7

    def restart(self, _place: Place) -> int:
        return 8

    def check(self) -> None:
        """Nothing has changed."""


def _starts(consumer: FakeConsumer, placement: Noted, stop: threading.Event) -> list[tuple[str, int, int]]:
    partitions = [TopicPartition("a", 1)]
    found = starts_of(consumer, placement, partitions, Health(), stop)  # type: ignore[arg-type]
    return [(each.topic, each.partition, each.offset) for each in found]


@pytest.mark.parametrize(
    ("offset", "metadata", "asked"), [(5, "x", (5, "x")), (0, "", (0, "")), (-1001, "", (None, ""))]
)
def test_a_placement_is_told_what_is_committed(offset: int, metadata: str, asked: tuple[int | None, str]) -> None:
    placement = Noted()
    assert _starts(FakeConsumer(offset, metadata), placement, threading.Event()) == [("a", 1, 7)]
    assert placement.asked == [(Place("a", 1), *asked)]


def test_kafka_is_waited_for() -> None:
    consumer = FakeConsumer(5, "x", failures=3)
    assert _starts(consumer, Noted(), threading.Event()) == [("a", 1, 7)]
    assert consumer.failures == 0


def test_one_that_stops_while_it_waits_begins_nowhere() -> None:
    stop = threading.Event()
    stop.set()
    assert _starts(FakeConsumer(5, "x", failures=1), Noted(), stop) == []
