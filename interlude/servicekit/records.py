"""Where a Kafka record stands, and which of the client's errors pass by themselves."""

from operator import methodcaller
from typing import Final, NamedTuple

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

_WAITING_OUT: Final = frozenset(
    {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._RESOLVE, KafkaError._TIMED_OUT}
)

_read_headers: Final = methodcaller("headers")
"""Not `record.headers()`: where that is called often, the interpreter takes a short cut past the check that a call does not give a
result and an error at once, as this one does, and the error then comes up anywhere."""

log = structlog.get_logger()


class Place(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int


def place_of(record: Message) -> Place:
    """The partition that a record came from."""
    topic = record.topic()
    if topic is None:
        raise ValueError("a record without a topic")
    return Place(topic, record.partition() or 0)


def places_of(partitions: list[TopicPartition]) -> set[Place]:
    """The same partitions, to compare with."""
    return {Place(partition.topic, partition.partition) for partition in partitions}


def offset_after(record: Message) -> int:
    """Where to go on after a record."""
    return (record.offset() or 0) + 1


def is_end(record: Message) -> bool:
    """Whether this is no record but says that its partition was read to the end."""
    error = record.error()
    return error is not None and error.code() == KafkaError._PARTITION_EOF


def is_error(record: Message) -> bool:
    """Whether this is no record but an error that passes by itself. Raises `KafkaException` for one that does not."""
    error = record.error()
    if error is None:
        return False
    if error.code() in _WAITING_OUT or error.retriable():
        log.warning("kafka error", error=error.name())
        return True
    raise KafkaException(error)


def drop_unreadable_headers(record: Message) -> None:
    """Leave a record without headers where one has a name that is not UTF-8. Kafka allows it, and the client fails on it: once
    with an error, and from then on with a list that holds no name, which must not be touched."""
    try:
        _read_headers(record)
    except (SystemError, UnicodeDecodeError):
        record.set_headers([])
        place = place_of(record)
        log.warning("headers dropped", topic=place.topic, partition=place.partition, offset=record.offset())
