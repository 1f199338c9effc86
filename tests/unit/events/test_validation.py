"""Every limit of an event, at its border and one beyond it."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.message import Message

from interlude.events.errors import InvalidEvent, Stage
from interlude.events.validation import (
    check_ad_event,
    check_customer,
    check_key,
    check_listen,
    check_sms_request,
    customer_id_of,
)
from tests.unit.events import messages
from tests.unit.events.messages import NOW_MS

AHEAD_MS = 300_000
GREATEST_ID = 2**63 - 1

Check = Callable[[Any, int], None]
KINDS: dict[str, tuple[Callable[[], Message], Check]] = {
    "listen": (messages.listen, check_listen),
    "ad event": (messages.ad_event, check_ad_event),
    "customer": (messages.customer, check_customer),
    "erasure": (messages.erasure, check_customer),
    "sms request": (messages.sms_request, check_sms_request),
}

WITHIN: list[tuple[str, str, object]] = [
    ("listen", "event_id", "x"),
    ("listen", "event_id", "x" * 128),
    ("listen", "event_id", "é" * 64),
    ("listen", "customer_id", 0),
    ("listen", "customer_id", GREATEST_ID),
    ("listen", "track_id", 0),
    ("listen", "track_id", GREATEST_ID),
    ("listen", "played_at_ms", 1),
    ("listen", "played_at_ms", NOW_MS + AHEAD_MS),
    ("listen", "device", 1),
    ("listen", "device", 2),
    ("listen", "postal_code", ""),
    ("listen", "postal_code", "x" * 16),
    ("listen", "utc_offset_minutes", 840),
    ("listen", "utc_offset_minutes", -840),
    ("ad event", "event_id", "x" * 128),
    ("ad event", "customer_id", GREATEST_ID),
    ("ad event", "kind", 1),
    ("ad event", "kind", 4),
    ("ad event", "at_ms", NOW_MS + AHEAD_MS),
    ("ad event", "campaign_id", "x" * 64),
    ("customer", "customer_id", 0),
    ("customer", "updated_at_ms", NOW_MS + AHEAD_MS),
    ("customer", "level", 1),
    ("customer", "level", 3),
    ("customer", "gender", 0),
    ("customer", "gender", 3),
    ("customer", "time_zone", ""),
    ("customer", "time_zone", "x" * 64),
    ("customer", "birth_year", 0),
    ("customer", "birth_year", 9999),
    ("erasure", "customer_id", GREATEST_ID),
    ("erasure", "erased_at_ms", 1),
    ("erasure", "erased_at_ms", NOW_MS + AHEAD_MS),
    ("sms request", "request_id", "x" * 128),
    ("sms request", "customer_id", 0),
    ("sms request", "campaign_id", "x" * 64),
    ("sms request", "requested_at_ms", NOW_MS + AHEAD_MS),
    ("sms request", "expires_at_ms", 0),
    ("sms request", "score", 0.0),
    ("sms request", "score", 1.0),
    ("sms request", "model_version", ""),
    ("sms request", "model_version", "x" * 128),
]

BEYOND: list[tuple[str, str, object]] = [
    ("listen", "event_id", ""),
    ("listen", "event_id", "x" * 129),
    ("listen", "event_id", "é" * 65),
    ("erasure", "customer_id", -1),
    ("erasure", "erased_at_ms", -1),
    ("erasure", "erased_at_ms", NOW_MS + AHEAD_MS + 1),
    ("erasure", "updated_at_ms", 1),
    ("erasure", "level", 1),
    ("erasure", "active", True),
    ("erasure", "phone", "+15550100"),
    ("erasure", "name", "Ada Example"),
    ("listen", "customer_id", -1),
    ("listen", "track_id", -1),
    ("listen", "played_at_ms", 0),
    ("listen", "played_at_ms", -1),
    ("listen", "played_at_ms", NOW_MS + AHEAD_MS + 1),
    ("listen", "device", 0),
    ("listen", "device", 3),
    ("listen", "postal_code", "x" * 17),
    ("listen", "utc_offset_minutes", 841),
    ("listen", "utc_offset_minutes", -841),
    ("listen", "utc_offset_minutes", -(2**31)),
    ("ad event", "event_id", ""),
    ("ad event", "event_id", "x" * 129),
    ("ad event", "customer_id", -1),
    ("ad event", "kind", 0),
    ("ad event", "kind", 5),
    ("ad event", "at_ms", 0),
    ("ad event", "at_ms", NOW_MS + AHEAD_MS + 1),
    ("ad event", "campaign_id", ""),
    ("ad event", "campaign_id", "x" * 65),
    ("customer", "customer_id", -1),
    ("customer", "updated_at_ms", 0),
    ("customer", "updated_at_ms", NOW_MS + AHEAD_MS + 1),
    ("customer", "level", 0),
    ("customer", "level", 4),
    ("customer", "gender", 4),
    ("customer", "time_zone", "x" * 65),
    ("customer", "birth_year", -1),
    ("customer", "birth_year", 10_000),
    ("sms request", "request_id", ""),
    ("sms request", "request_id", "x" * 129),
    ("sms request", "customer_id", -1),
    ("sms request", "campaign_id", ""),
    ("sms request", "campaign_id", "x" * 65),
    ("sms request", "requested_at_ms", 0),
    ("sms request", "requested_at_ms", NOW_MS + AHEAD_MS + 1),
    ("sms request", "expires_at_ms", -1),
    ("sms request", "score", -0.001),
    ("sms request", "score", 1.001),
    ("sms request", "score", math.nan),
    ("sms request", "model_version", "x" * 129),
]


def _event(kind: str, field: str, value: object) -> Message:
    event = KINDS[kind][0]()
    setattr(event, field, value)
    return event


@pytest.mark.parametrize(("kind", "field", "value"), WITHIN)
def test_the_border_is_allowed(kind: str, field: str, value: object) -> None:
    KINDS[kind][1](_event(kind, field, value), NOW_MS)


@pytest.mark.parametrize(("kind", "field", "value"), BEYOND)
def test_beyond_the_border_the_field_is_named(kind: str, field: str, value: object) -> None:
    with pytest.raises(InvalidEvent, match=f"^validate: {field} ") as caught:
        KINDS[kind][1](_event(kind, field, value), NOW_MS)
    assert caught.value.stage is Stage.VALIDATE


def test_a_listen_need_not_say_its_local_time() -> None:
    listen = messages.listen()
    listen.ClearField("utc_offset_minutes")
    check_listen(listen, NOW_MS)


def test_no_problem_repeats_a_persons_data() -> None:
    customer = messages.customer()
    customer.time_zone = "Ada Example, 1 Example Street, +15550100, " * 3
    with pytest.raises(InvalidEvent) as caught:
        check_customer(customer, NOW_MS)
    assert "Ada" not in str(caught.value)


def test_the_key_is_the_customer_in_decimal() -> None:
    check_key(b"42", 42)
    check_key(b"%d" % GREATEST_ID, GREATEST_ID)


@pytest.mark.parametrize("key", [None, b"", b"43", b"042", b" 42", b"42\n", b"+42", b"4.2e1", b"\xff"])
def test_any_other_key_is_refused(key: bytes | None) -> None:
    with pytest.raises(InvalidEvent, match="key"):
        check_key(key, 42)


@pytest.mark.parametrize("customer_id", [0, 42, GREATEST_ID])
def test_a_tombstones_customer_is_its_key(customer_id: int) -> None:
    assert customer_id_of(b"%d" % customer_id) == customer_id


@pytest.mark.parametrize(
    "key",
    [None, b"", b"-1", b"007", b"00", b"x", b"1 ", "٣".encode(), b"%d" % (GREATEST_ID + 1), b"9" * 20, b"9" * 9999],
)
def test_a_key_that_no_producer_of_ours_writes_names_nobody(key: bytes | None) -> None:
    with pytest.raises(InvalidEvent, match="key"):
        customer_id_of(key)
