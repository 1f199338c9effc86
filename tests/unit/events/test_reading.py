"""From bytes to a message: which notation, how large, and what is ignored."""

import json
from contextlib import suppress

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from interlude.events.errors import InvalidEvent, Stage
from interlude.events.reading import EVENT_BYTES_LIMIT, content_type_of, parse
from interlude.v1 import events_pb2 as pb
from tests.unit.events import messages
from tests.unit.events.messages import as_json

JSON_TYPES = ["application/json", "application/json; charset=utf-8", "Application/JSON"]
MESSAGES = [messages.listen(), messages.ad_event(), messages.customer()]

json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=6,
)
listen_fields = st.sampled_from([field.name for field in pb.Listen.DESCRIPTOR.fields] + ["customerId", "unknown"])


@pytest.mark.parametrize("message", MESSAGES)
def test_binary_is_read(message: Message) -> None:
    value = message.SerializeToString()
    assert parse(type(message), value) == message
    assert parse(type(message), value, "application/x-protobuf") == message
    assert parse(type(message), value, "text/plain") == message


@pytest.mark.parametrize("message", MESSAGES)
@pytest.mark.parametrize("content_type", ["", *JSON_TYPES, "text/plain", "application/x-protobuf"])
def test_what_begins_with_a_brace_is_json_whatever_its_type_says(message: Message, content_type: str) -> None:
    assert parse(type(message), as_json(message), content_type) == message


@pytest.mark.parametrize("content_type", JSON_TYPES)
def test_json_after_white_space_needs_its_content_type(content_type: str) -> None:
    value = b" \n" + as_json(messages.listen())
    assert parse(pb.Listen, value, content_type) == messages.listen()
    with pytest.raises(InvalidEvent, match="parse: not a binary Listen"):
        parse(pb.Listen, value)


def test_json_may_write_numbers_as_text_and_fields_in_either_case() -> None:
    value = b'{"event_id": "e", "customerId": "9223372036854775807", "track_id": 7, "device": "DEVICE_PC"}'
    read = parse(pb.Listen, value)
    assert (read.customer_id, read.track_id, read.device) == (2**63 - 1, 7, pb.DEVICE_PC)


def test_unknown_fields_are_ignored() -> None:
    fields = json.loads(as_json(messages.listen()))
    extended = json.dumps({**fields, "mood": {"of": ["the", "day"]}}).encode()
    assert parse(pb.Listen, extended) == messages.listen()
    # Field 100, length-delimited, "new".
    binary = parse(pb.Listen, messages.listen().SerializeToString() + b"\xa2\x06\x03new")
    assert (binary.event_id, binary.customer_id) == ("play-1", 42)


def test_an_unknown_name_of_an_enum_leaves_it_unspecified() -> None:
    assert parse(pb.Listen, b'{"device": "DEVICE_TOASTER"}').device == pb.DEVICE_UNSPECIFIED


@pytest.mark.parametrize("filler", [b"{", b"\x0a", b" "])
def test_a_value_over_64_kib_is_refused_unread(filler: bytes) -> None:
    with pytest.raises(InvalidEvent) as caught:
        parse(pb.Listen, filler * (EVENT_BYTES_LIMIT + 1))
    assert caught.value.stage is Stage.SIZE
    assert str(caught.value) == "size: value has 65537 bytes, limit 65536"


def test_a_value_of_64_kib_is_read() -> None:
    listen = messages.listen()
    listen.event_id = "x" * (EVENT_BYTES_LIMIT - len(listen.SerializeToString()) + len(listen.event_id) - 2)
    assert len(listen.SerializeToString()) == EVENT_BYTES_LIMIT
    assert parse(pb.Listen, listen.SerializeToString()) == listen


@pytest.mark.parametrize(
    "value",
    [
        b"{",
        b"{}}",
        b'{"event_id": 1}',
        b'{"track_id": 1.5}',
        b'{"track_id": 1e400}',
        b'{"track_id": 9223372036854775808}',
        b'{"event_id": "a", "event_id": "b"}',
        b'{"event_id": "\\ud800"}',
        b'{"event_id": "\xff"}',
        b'{"x":' * 5000,
        b'{"track_id": ' + b"9" * 5000 + b"}",
    ],
)
def test_bad_json_is_refused(value: bytes) -> None:
    with pytest.raises(InvalidEvent, match="not a Listen in proto3 JSON"):
        parse(pb.Listen, value)


@pytest.mark.parametrize("value", [b"[]", b"[1]", b"null", b"1", b'"text"', b"true", b""])
def test_json_that_is_no_object_never_becomes_a_full_event(value: bytes) -> None:
    with suppress(InvalidEvent):
        assert parse(pb.Listen, value, "application/json") == pb.Listen()


@given(st.binary(max_size=200), st.sampled_from(["", "application/json", "application/x-protobuf"]))
def test_garbage_is_refused_or_read_and_nothing_else(value: bytes, content_type: str) -> None:
    for message_type in (pb.Listen, pb.AdEvent, pb.Customer):
        with suppress(InvalidEvent):
            assert isinstance(parse(message_type, value, content_type), message_type)


@given(st.dictionaries(listen_fields, json_values, max_size=4))
def test_any_json_object_is_refused_or_read_and_nothing_else(fields: dict[str, object]) -> None:
    with suppress(InvalidEvent):
        assert isinstance(parse(pb.Listen, json.dumps(fields).encode()), pb.Listen)


def test_the_content_type_is_found_in_lists_and_mappings_of_headers() -> None:
    assert content_type_of([("ce_id", b"1"), ("Content-Type", b"application/json")]) == "application/json"
    assert content_type_of({"content-type": "application/json"}) == "application/json"


@pytest.mark.parametrize("headers", [None, [], {}, [("content-type", None)], [("content-type", b"")], [("type", b"x")]])
def test_without_a_content_type_there_is_none(headers: list[tuple[str, bytes | str | None]] | None) -> None:
    assert content_type_of(headers) == ""


def test_a_content_type_that_is_no_text_is_no_error() -> None:
    assert content_type_of([("content-type", b"\xff\xfe")])
