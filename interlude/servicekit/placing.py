"""Where partitions begin when what is committed is not all that counts."""

import threading
from collections.abc import Sequence
from typing import Final, Protocol

import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition

from interlude.servicekit.records import Place
from interlude.servicekit.telemetry import Health

BEGINNING: Final = OFFSET_BEGINNING
"""The start of a partition of which nothing is to be left out."""

_ANSWER_SECONDS: Final = 2.0

log = structlog.get_logger()


class Rewind(Exception):
    """What was handled up to now has to be placed anew: the loop drops the batch and begins each partition where the
    `Placement` says. Raised by a handler or by `Placement.check`."""


class Placement(Protocol):
    """Knows for what the committed offsets were reached."""

    def metadata(self) -> str:
        """Committed beside every offset: for what it was reached. At most 4 KiB."""

    def start(self, place: Place, offset: int | None, metadata: str) -> int:
        """Where the partition begins: the committed `offset` (None: there is none) if what is said beside it holds, else
        another, or `BEGINNING`."""

    def restart(self, place: Place) -> int:
        """Where the partition begins after a `Rewind`: an offset or `BEGINNING`."""

    def check(self) -> None:
        """Called between batches, also when nothing arrives. Raises `Rewind`."""


def starts_of(
    consumer: Consumer,
    placement: Placement,
    partitions: Sequence[TopicPartition],
    health: Health,
    stop: threading.Event,
) -> list[TopicPartition]:
    """`partitions` with the offsets at which they begin. Waits for Kafka, which has to say what is committed; where `stop` is
    set first, there are none."""
    health.beat()  # once: a client that never hears of Kafka again is for the liveness probe to end
    while not stop.is_set():
        try:
            committed = consumer.committed(list(partitions), timeout=_ANSWER_SECONDS)
        except KafkaException as error:
            log.warning("waiting", reason=f"Kafka does not say what is committed: {error.args[0].name()}")
            continue
        if not any(partition.error for partition in committed):
            return [_start(placement, partition) for partition in committed]
        stop.wait(_ANSWER_SECONDS)
    return []


def restarts_of(placement: Placement, places: Sequence[Place]) -> list[TopicPartition]:
    """Where `places` begin after a `Rewind`."""
    return [TopicPartition(place.topic, place.partition, placement.restart(place)) for place in places]


def _start(placement: Placement, committed: TopicPartition) -> TopicPartition:
    place = Place(committed.topic, committed.partition)
    offset = committed.offset if committed.offset >= 0 else None
    return TopicPartition(*place, placement.start(place, offset, committed.metadata or ""))
