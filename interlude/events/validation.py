"""What a well-formed event looks like, field by field. Each check raises `InvalidEvent` naming the field and its limit."""

from typing import Final

from interlude.events.errors import InvalidEvent, Stage
from interlude.v1 import events_pb2 as pb

AHEAD_LIMIT_MS: Final = 5 * 60 * 1000
"""Clocks differ; an event further in the future than this comes from a broken one."""

EVENT_ID_BYTES: Final = 128
CAMPAIGN_ID_BYTES: Final = 64
POSTAL_CODE_BYTES: Final = 16
TIME_ZONE_BYTES: Final = 64
MODEL_VERSION_BYTES: Final = 128
UTC_OFFSET_MINUTES: Final = 14 * 60
_DEVICES: Final = (pb.DEVICE_MOBILE, pb.DEVICE_PC)
_KINDS: Final = tuple(pb.AdEventKind.values()[1:])
_FIELDS_OF_AN_ERASURE: Final = frozenset({"customer_id", "erased_at_ms"})


def check_listen(listen: pb.Listen, now_ms: int) -> None:
    """Raise `InvalidEvent` unless `listen` can be taken at `now_ms`."""
    _check_text("event_id", listen.event_id, EVENT_ID_BYTES)
    _check_id("customer_id", listen.customer_id)
    _check_id("track_id", listen.track_id)
    _check_time("played_at_ms", listen.played_at_ms, now_ms)
    _check_enum("device", listen.device, _DEVICES)
    _check_text("postal_code", listen.postal_code, POSTAL_CODE_BYTES, required=False)
    if abs(listen.utc_offset_minutes) > UTC_OFFSET_MINUTES:
        raise _invalid(f"utc_offset_minutes is {listen.utc_offset_minutes}, limit ±{UTC_OFFSET_MINUTES}")


def check_ad_event(event: pb.AdEvent, now_ms: int) -> None:
    """Raise `InvalidEvent` unless `event` can be taken at `now_ms`."""
    _check_text("event_id", event.event_id, EVENT_ID_BYTES)
    _check_id("customer_id", event.customer_id)
    _check_enum("kind", event.kind, _KINDS)
    _check_time("at_ms", event.at_ms, now_ms)
    _check_text("campaign_id", event.campaign_id, CAMPAIGN_ID_BYTES)


def check_customer(customer: pb.Customer, now_ms: int) -> None:
    """Raise `InvalidEvent` unless `customer` can be taken at `now_ms`."""
    _check_id("customer_id", customer.customer_id)
    if customer.erased_at_ms:
        _check_erasure(customer, now_ms)
        return
    _check_time("updated_at_ms", customer.updated_at_ms, now_ms)
    _check_enum("level", customer.level, pb.Level.values()[1:])
    _check_enum("gender", customer.gender, pb.Gender.values())
    _check_text("time_zone", customer.time_zone, TIME_ZONE_BYTES, required=False)
    if not 0 <= customer.birth_year <= 9999:
        raise _invalid(f"birth_year is {customer.birth_year}, expected 0 to 9999")


def check_sms_request(request: pb.SmsRequest, now_ms: int) -> None:
    """Raise `InvalidEvent` unless `request` can be taken at `now_ms`."""
    _check_text("request_id", request.request_id, EVENT_ID_BYTES)
    _check_id("customer_id", request.customer_id)
    _check_text("campaign_id", request.campaign_id, CAMPAIGN_ID_BYTES)
    _check_time("requested_at_ms", request.requested_at_ms, now_ms)
    if request.expires_at_ms < 0:
        raise _invalid("expires_at_ms is negative")
    if not 0 <= request.score <= 1:
        raise _invalid(f"score is {request.score}, expected 0 to 1")
    _check_text("model_version", request.model_version, MODEL_VERSION_BYTES, required=False)


def check_key(key: bytes | None, customer_id: int) -> None:
    """Raise `InvalidEvent` unless the record's key is the customer id in decimal: only then is its partition the customer's."""
    if key != b"%d" % customer_id:
        raise _invalid("the record's key is not the customer_id in decimal")


def customer_id_of(key: bytes | None) -> int:
    """The customer a record's key names; for tombstones, which have nothing else. Raises `InvalidEvent`."""
    # Exactly as producers write it: the same number written otherwise ("007") lies in another partition.
    if key is None or not key.isdigit() or len(key) > 19 or key != b"%d" % int(key) or int(key) >= 2**63:
        raise _invalid("the record's key is not a customer_id in decimal")
    return int(key)


def _invalid(problem: str) -> InvalidEvent:
    return InvalidEvent(Stage.VALIDATE, problem)


def _check_id(field: str, value: int) -> None:
    if value < 0:
        raise _invalid(f"{field} is negative")


def _check_erasure(customer: pb.Customer, now_ms: int) -> None:
    _check_time("erased_at_ms", customer.erased_at_ms, now_ms)
    # Profile and erasure in one: which of the two is meant would be a guess, with a person's data at stake.
    beside = {field.name for field, _ in customer.ListFields()} - _FIELDS_OF_AN_ERASURE
    if beside:
        raise _invalid(f"{min(beside)} is set beside erased_at_ms")


def _check_text(field: str, value: str, limit_bytes: int, *, required: bool = True) -> None:
    if required and not value:
        raise _invalid(f"{field} is empty")
    size = len(value) if value.isascii() else len(value.encode())
    if size > limit_bytes:
        raise _invalid(f"{field} has {size} bytes, limit {limit_bytes}")


def _check_time(field: str, value: int, now_ms: int) -> None:
    if value <= 0:
        raise _invalid(f"{field} is {value}, expected milliseconds since 1970")
    if value > now_ms + AHEAD_LIMIT_MS:
        raise _invalid(f"{field} is {value - now_ms} ms ahead of the clock, limit {AHEAD_LIMIT_MS}")


def _check_enum(field: str, value: int, allowed: tuple[int, ...] | list[int]) -> None:
    if value not in allowed:
        raise _invalid(f"{field} is {value}, expected one of {', '.join(map(str, allowed))}")
