"""From a Kafka record to a row of the lake, in Spark's Python workers, with the checks that serve online."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final, NamedTuple

import pyarrow as pa  # type: ignore[import-untyped]

from interlude.events.conversion import read_event, to_ad_event
from interlude.events.errors import InvalidEvent, Stage
from interlude.events.reading import parse
from interlude.events.validation import check_ad_event, check_key, check_listen
from interlude.features.codec import CorruptValue, decode_hot
from interlude.features.state import Erasure, Profile, Stream
from interlude.v1 import decision_pb2, events_pb2
from services.trainer.arrow_lines import to_batches
from services.trainer.lake.tables import AD_EVENTS, CUSTOMERS, DECISIONS, LISTENS, Change, Table

SKIPPED: Final = "skipped"
"""The column that says why a record made no row; null for a row."""


class KafkaRecord(NamedTuple):
    """One record as Spark hands it over; `timestamp_ms` is Kafka's."""

    key: bytes | None
    value: bytes | None
    content_type: str
    partition: int
    offset: int
    timestamp_ms: int


Row = tuple[Any, ...]
_Decode = Callable[[KafkaRecord, int], Row]


def decoded_schema(table: Table) -> str:
    """Spark's schema of `decode`: the table's columns and `SKIPPED`."""
    return f"{table.schema}, {SKIPPED} string"


def decode(batches: Iterator[pa.RecordBatch], table: Table) -> Iterator[pa.RecordBatch]:
    """Batches of `KafkaRecord`s as rows of `table`; a record that cannot be taken is a row of nulls with its reason."""
    schema = table.arrow_schema.append(pa.field(SKIPPED, pa.string()))
    nothing = (None,) * len(table.all_columns)
    yield from to_batches(_lines(batches, partial(row_or_reason, table), nothing), schema)


def row_or_reason(table: Table, record: KafkaRecord, now_ms: int) -> Row | Stage:
    """The row of `record` in the order of `table.all_columns`, or where it was found to be bad."""
    try:
        return (*_DECODERS[table.name](record, now_ms), record.partition, record.offset)
    except InvalidEvent as error:
        return error.stage


def _lines(
    batches: Iterator[pa.RecordBatch], decode_one: Callable[[KafkaRecord, int], Row | Stage], nothing: Row
) -> Iterator[Row]:
    for batch in batches:
        now_ms = time.time_ns() // 1_000_000
        columns: list[list[Any]] = [batch.column(name).to_pylist() for name in KafkaRecord._fields]
        for values in zip(*columns, strict=True):
            row = decode_one(KafkaRecord(*values), now_ms)
            yield (*nothing, row.value) if isinstance(row, Stage) else (*row, None)


def _listen(record: KafkaRecord, now_ms: int) -> Row:
    message = parse(events_pb2.Listen, record.value or b"", record.content_type)
    check_listen(message, now_ms)
    check_key(record.key, message.customer_id)
    return (
        message.customer_id,
        message.event_id,
        message.played_at_ms,
        message.track_id,
        message.device == events_pb2.DEVICE_MOBILE,
        message.utc_offset_minutes if message.HasField("utc_offset_minutes") else None,
    )


def _ad_event(record: KafkaRecord, now_ms: int) -> Row:
    message = parse(events_pb2.AdEvent, record.value or b"", record.content_type)
    check_ad_event(message, now_ms)
    check_key(record.key, message.customer_id)
    return (
        message.customer_id,
        message.event_id,
        message.at_ms,
        to_ad_event(message).kind.value,
        message.decision_id,
        message.campaign_id,
        message.channel,
    )


def _decision(record: KafkaRecord, _now_ms: int) -> Row:
    line = parse(decision_pb2.DecisionLogged, record.value or b"", record.content_type)
    check_key(record.key, line.request.customer_id)
    if not line.decision_id or line.decided_at_ms <= 0:
        raise InvalidEvent(Stage.VALIDATE, "decision_id or decided_at_ms is missing")
    answer = line.response
    return (
        line.request.customer_id,
        line.decision_id,
        line.decided_at_ms,
        answer.campaign_id,
        answer.show,
        answer.reason,
        answer.score if answer.HasField("score") else None,
        answer.propensity,
        answer.arm,
        answer.model_version,
        line.threshold,
        answer.rung,
        line.reservation,
        line.campaigns_version,
        line.schema_version,
        list(line.features),
        answer.feature_age_ms if answer.HasField("feature_age_ms") else None,
        _newest_listen_ms(line),
        line.request.device,
        line.request.next_track_id,
        line.contacts_in_period,
        line.since_last_contact_ms if line.HasField("since_last_contact_ms") else None,
        line.listener,
    )


def _newest_listen_ms(line: decision_pb2.DecisionLogged) -> int | None:
    """The newest listen that the features know: from the listener as read, which does not hide one of the future as an age of 0
    does; from the age where this version does not read those bytes any more."""
    try:
        return decode_hot(line.listener).newest_listen_ms
    except CorruptValue:
        age = line.response
        return line.decided_at_ms - age.feature_age_ms if age.HasField("feature_age_ms") else None


def _customer(record: KafkaRecord, now_ms: int) -> Row:
    headers: list[tuple[str, bytes | str | None]] = [("content-type", record.content_type)]
    customer_id, event = read_event(Stream.CUSTOMERS, record.key, record.value, headers, now_ms)
    # A profile has no id of its own: what makes it one record is its place in the log, and when that log was.
    event_id = f"{record.timestamp_ms}/{record.partition}/{record.offset}"
    if isinstance(event, Profile):
        return (
            customer_id,
            event_id,
            event.updated_at_ms,
            Change.PROFILE.value,
            event.level.value,
            event.active,
            event.consent_player_offers,
            event.consent_sms,
            event.gender,
            event.birth_year,
            event.time_zone,
        )
    erased = isinstance(event, Erasure)
    at_ms = event.at_ms if isinstance(event, Erasure) else record.timestamp_ms
    change = Change.ERASED if erased else Change.DELETED
    return (customer_id, event_id, at_ms, change.value, *(None,) * 7)


_DECODERS: Final[dict[str, _Decode]] = {
    LISTENS.name: _listen,
    AD_EVENTS.name: _ad_event,
    DECISIONS.name: _decision,
    CUSTOMERS.name: _customer,
}
