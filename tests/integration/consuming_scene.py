"""Members of a group that write down what they handle, on topics that only they read."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from interlude.servicekit.consumer_settings import ConsumerSettings
from interlude.servicekit.consuming import ConsumerLoop
from interlude.servicekit.telemetry import Health
from tests.integration.enricher_scene import DEADLINE_S

RECORDS = 400
PARTITIONS = 4
ANSWER_SECONDS = 2.0

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


@contextmanager
def joined(settings: ConsumerSettings, handler: Recorder) -> Iterator[Member]:
    running = Member(settings, handler)
    try:
        yield running
    finally:
        running.stop()


def produce(settings: ConsumerSettings, first: int = 0) -> set[Seen]:
    """`RECORDS` more records, spread evenly; what a handler should see of them."""
    producer = Producer({"bootstrap.servers": settings.bootstrap})
    each = RECORDS // (PARTITIONS * len(settings.topics))
    expected = set()
    for topic in settings.topics:
        for partition in range(PARTITIONS):
            for offset in range(first, first + each):
                producer.produce(topic, b"%d" % offset, key=b"%d" % offset, partition=partition)
                expected.add((topic, partition, offset))
    assert producer.flush(DEADLINE_S) == 0
    return expected


def committed(settings: ConsumerSettings) -> int:
    """How many records the group has committed; -1 while Kafka does not say."""
    admin = AdminClient({"bootstrap.servers": settings.bootstrap})
    asked = admin.list_consumer_group_offsets(
        [ConsumerGroupTopicPartitions(settings.group_id)], request_timeout=ANSWER_SECONDS
    )
    [request] = asked.values()
    try:
        partitions: list[TopicPartition] = request.result(DEADLINE_S).topic_partitions
    except KafkaException:
        return -1
    return sum(max(partition.offset, 0) for partition in partitions)


def is_in_order(seen: list[Seen]) -> bool:
    """Whether each partition's records came in the order of their offsets, each once."""
    by_partition: dict[tuple[str, int], list[int]] = {}
    for topic, partition, offset in seen:
        by_partition.setdefault((topic, partition), []).append(offset)
    return all(later == earlier + 1 for offsets in by_partition.values() for earlier, later in pairwise(offsets))
