"""Kafka's log in Spark: the records of one customer together, parsed by the same code as online."""

from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from typing import Any, Final, NamedTuple

import pyarrow as pa  # type: ignore[import-untyped]
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sql

from interlude.events.conversion import read_event, to_ad_event
from interlude.events.errors import InvalidEvent
from interlude.events.reading import content_type_of, parse
from interlude.events.topics import Topic
from interlude.events.validation import check_ad_event, check_key
from interlude.features.state import Erasure, Listen, Profile, ProfileDeleted, Stream
from interlude.v1 import events_pb2 as pb
from services.trainer.history import CustomerEvents, LoggedAdEvent

_STREAMS: Final = {
    Topic.LISTENS.value: Stream.LISTENS,
    Topic.AD_EVENTS.value: Stream.AD_EVENTS,
    Topic.CUSTOMERS.value: Stream.CUSTOMERS,
}
_CONTENT_TYPE: Final = "content-type"
"""The one header that parsing needs."""


class LogRecord(NamedTuple):
    """One record as Spark hands it over."""

    topic: str
    key: bytes | None
    value: bytes | None
    content_type: str


class Customer(NamedTuple):
    """One customer's part of the log."""

    customer_id: int
    events: CustomerEvents


def read_log(spark: SparkSession, bootstrap: str) -> DataFrame:
    """Everything in `listens`, `ad-events` and `customers`: columns topic, key, value, content_type; the records of one
    key lie together in one partition, each topic's in the order of its log."""
    frame = (
        spark.read.format("kafka")
        .option("kafka.bootstrap.servers", bootstrap)
        .option("subscribe", ",".join(_STREAMS))
        .option("startingOffsets", "earliest")
        .option("endingOffsets", "latest")
        .option("includeHeaders", "true")
        .option("failOnDataLoss", "false")
        .load()
    )
    named = f"filter(headers, header -> lower(header.key) = '{_CONTENT_TYPE}')"
    content_type = sql.expr(f"coalesce(decode(get({named}, 0).value, 'UTF-8'), '')").alias("content_type")
    records = frame.select("topic", "key", "value", content_type, "offset")
    return records.repartition("key").sortWithinPartitions("key", "topic", "offset").drop("offset")


def customers_in(batches: Iterator[pa.RecordBatch], now_ms: int, skipped: Counter[str]) -> Iterator[Customer]:
    """The customers of one partition of `read_log`, one after the other; what does not read is counted in `skipped`."""
    for key, records in groupby(_records(batches), key=lambda record: record.key):
        events = CustomerEvents()
        for record in records:
            try:
                take(events, record, now_ms)
            except InvalidEvent as error:
                skipped[f"invalid_{error.stage.value}"] += 1
        events.drop_erased()
        if events.listens or events.profiles or events.ad_events:
            yield Customer(int(key or b"0"), events)


def take(events: CustomerEvents, record: LogRecord, now_ms: int) -> None:
    """Parse one record, check it and add it to its customer's events. Raises `InvalidEvent`."""
    headers: list[tuple[str, bytes | str | None]] = [(_CONTENT_TYPE, record.content_type)]
    stream = _STREAMS[record.topic]
    if stream is Stream.AD_EVENTS:
        # The state keeps no decision ids, labels need them.
        message = parse(pb.AdEvent, record.value or b"", content_type_of(headers))
        check_ad_event(message, now_ms)
        check_key(record.key, message.customer_id)
        events.ad_events.append(LoggedAdEvent(to_ad_event(message), message.decision_id))
        return
    _, event = read_event(stream, record.key, record.value, headers, now_ms)
    if isinstance(event, Listen):
        events.listens.append(event)
    elif isinstance(event, Profile):
        events.profiles.append(event)
    elif isinstance(event, ProfileDeleted):
        events.profiles.clear()
    elif isinstance(event, Erasure):
        events.erased_at_ms = max(events.erased_at_ms, event.at_ms)


def _records(batches: Iterator[pa.RecordBatch]) -> Iterator[LogRecord]:
    for batch in batches:
        columns: list[list[Any]] = [batch.column(name).to_pylist() for name in LogRecord._fields]
        for values in zip(*columns, strict=True):
            yield LogRecord(*values)
