"""A topic read once, from a moment on or from its beginning, to where it ended when the reading began: for tools, not services."""

import logging
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, NamedTuple

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from interlude.servicekit.errors import Unavailable
from interlude.servicekit.partitioning import partition_of
from interlude.servicekit.records import drop_unreadable_headers

_ANSWER_SECONDS: Final = 10.0
_SILENCE_SECONDS: Final = 30.0
"""Kafka that gives nothing for so long, although there is more, does not answer."""
_POLL_SECONDS: Final = 0.1
_RECORDS_AT_ONCE: Final = 1000


def read_topic(
    bootstrap: str, topic: str, *, since_ms: int | None = None, key: bytes | None = None, unread_by: str = ""
) -> Iterator[Message]:
    """The records of `topic`, those of one partition in their order; `since_ms` (epoch ms) leaves out older ones.

    With `key` only its partition is read, the records of other keys in it included. `unread_by` leaves out what that consumer
    group has committed, see `commit`. Raises `Unavailable` where Kafka does not answer or has no such topic.
    """
    with _consumer(bootstrap, topic, unread_by or f"reading-{secrets.token_hex(4)}") as consumer:
        marks = _marks(consumer, topic, key)
        begins = {number: low for number, (low, _) in marks.items()}
        if since_ms is not None:
            begins |= _offsets_at(consumer, topic, marks, since_ms)
        if unread_by:
            committed = consumer.committed([TopicPartition(topic, number) for number in marks], timeout=_ANSWER_SECONDS)
            # Negative: nothing is committed. Below the begin: what was committed is no longer there.
            begins = {each.partition: max(begins[each.partition], each.offset) for each in committed}
        ends = {number: high for number, (_, high) in marks.items() if high > begins[number]}
        consumer.assign([TopicPartition(topic, number, begins[number]) for number in ends])
        yield from _until(consumer, ends, bootstrap)


class Position(NamedTuple):
    """Where a consumer group stands in a partition: its first offset and the one behind its last, what the group has committed
    (negative: nothing), and its note."""

    low: int
    high: int
    committed: int
    note: str


def positions(bootstrap: str, topic: str, group: str) -> dict[int, Position]:
    """Where `group` stands in each partition. Raises `Unavailable`."""
    with _consumer(bootstrap, topic, group) as consumer:
        marks = _marks(consumer, topic, None)
        places = [TopicPartition(topic, number) for number in marks]
        return {
            each.partition: Position(*marks[each.partition], each.offset, each.metadata or "")
            for each in consumer.committed(places, timeout=_ANSWER_SECONDS)
        }


def commit(bootstrap: str, topic: str, group: str, offsets: Mapping[int, tuple[int, str]]) -> None:
    """Notes for `group` the first offset of each partition that it has not dealt with, and a note. Raises `Unavailable`."""
    with _consumer(bootstrap, topic, group) as consumer:
        places = [TopicPartition(topic, number, offset, note) for number, (offset, note) in offsets.items()]
        consumer.commit(offsets=places, asynchronous=False)


def topics_in(bootstrap: str) -> list[str]:
    """The names of all topics, sorted. Raises `Unavailable`."""
    with _consumer(bootstrap, "its topics", f"reading-{secrets.token_hex(4)}") as consumer:
        return sorted(consumer.list_topics(timeout=_ANSWER_SECONDS).topics)


@contextmanager
def _consumer(bootstrap: str, what: str, group: str) -> Iterator[Consumer]:
    """A connection that joins no group. Raises `Unavailable`, which names `what`, for every error of Kafka within the block."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
        },
        logger=logging.getLogger("kafka"),
    )
    try:
        yield consumer
    except KafkaException as error:
        raise Unavailable(f"Kafka at {bootstrap} does not give {what}: {error.args[0].str()}") from error
    finally:
        consumer.close()


def _marks(consumer: Consumer, topic: str, key: bytes | None) -> dict[int, tuple[int, int]]:
    """The first offset of each partition to read, and the one behind its last."""
    found = consumer.list_topics(topic, timeout=_ANSWER_SECONDS).topics[topic]
    if found.error is not None:
        raise KafkaException(found.error)
    numbers = list(found.partitions) if key is None else [partition_of(key, len(found.partitions))]
    return {
        number: consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=_ANSWER_SECONDS)
        for number in numbers
    }


def _offsets_at(consumer: Consumer, topic: str, marks: Mapping[int, tuple[int, int]], since_ms: int) -> dict[int, int]:
    """The first offset of each partition that is as new as `since_ms`."""
    moments = [TopicPartition(topic, number, since_ms) for number in marks]
    found = consumer.offsets_for_times(moments, timeout=_ANSWER_SECONDS)
    # Negative: nothing is as new as that.
    return {each.partition: each.offset if each.offset >= 0 else marks[each.partition][1] for each in found}


def _until(consumer: Consumer, ends: dict[int, int], bootstrap: str) -> Iterator[Message]:
    """Everything before `ends`. A partition may end with offsets that hold no record: its end then says that it is read."""
    unread = set(ends)
    heard_seconds = time.monotonic()
    while unread:
        records = consumer.consume(_RECORDS_AT_ONCE, _POLL_SECONDS)
        if records:
            heard_seconds = time.monotonic()
        elif time.monotonic() - heard_seconds > _SILENCE_SECONDS:
            raise Unavailable(f"Kafka at {bootstrap} has given nothing for {_SILENCE_SECONDS:.0f} s")
        for record in records:
            number, offset = record.partition() or 0, record.offset() or 0
            error = record.error()
            if error is None and offset < ends[number]:
                drop_unreadable_headers(record)
                yield record
            if offset >= ends[number] - 1:
                unread.discard(number)
            if error is not None and not error.retriable() and error.name() != "_PARTITION_EOF":
                raise KafkaException(error)
