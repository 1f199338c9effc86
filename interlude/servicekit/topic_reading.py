"""A topic read once, from a moment on or from its beginning, to where it ended when the reading began: for tools, not services."""

import secrets
import time
from collections.abc import Iterator
from typing import Final

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from interlude.servicekit.errors import Unavailable

_ANSWER_SECONDS: Final = 10.0
_SILENCE_SECONDS: Final = 30.0
"""Kafka that gives nothing for so long, although there is more, does not answer."""
_POLL_SECONDS: Final = 0.1
_RECORDS_AT_ONCE: Final = 1000


def read_topic(bootstrap: str, topic: str, *, since_ms: int | None = None) -> Iterator[Message]:
    """The records of `topic`, those of one partition in their order; `since_ms` (epoch ms) leaves out older ones.

    Raises `Unavailable` where Kafka does not answer or has no such topic.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"reading-{secrets.token_hex(4)}",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
        }
    )
    try:
        begins, ends = _span(consumer, topic, since_ms)
        consumer.assign(begins)
        yield from _until(consumer, ends, bootstrap)
    except KafkaException as error:
        raise Unavailable(f"Kafka at {bootstrap} does not give {topic}: {error.args[0].str()}") from error
    finally:
        consumer.close()


def _span(consumer: Consumer, topic: str, since_ms: int | None) -> tuple[list[TopicPartition], dict[int, int]]:
    """Where to begin in each partition that has records to read, and the offsets at which they end."""
    found = consumer.list_topics(topic, timeout=_ANSWER_SECONDS).topics[topic]
    if found.error is not None:
        raise KafkaException(found.error)
    marks = {
        number: consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=_ANSWER_SECONDS)
        for number in found.partitions
    }
    begins = {number: low for number, (low, _) in marks.items()}
    if since_ms is not None:
        moments = [TopicPartition(topic, number, since_ms) for number in marks]
        for partition in consumer.offsets_for_times(moments, timeout=_ANSWER_SECONDS):
            # Negative: nothing is as new as that.
            begins[partition.partition] = partition.offset if partition.offset >= 0 else marks[partition.partition][1]
    ends = {number: high for number, (_, high) in marks.items() if high > begins[number]}
    return [TopicPartition(topic, number, begins[number]) for number in ends], ends


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
                yield record
            if offset >= ends[number] - 1:
                unread.discard(number)
            if error is not None and not error.retriable() and error.name() != "_PARTITION_EOF":
                raise KafkaException(error)
