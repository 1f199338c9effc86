"""From a Kafka record to a customer and an event."""

from contextlib import suppress

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from interlude.events.conversion import Headers, read_event
from interlude.events.errors import InvalidEvent, Stage
from interlude.features.state import (
    AdEvent,
    AdEventKind,
    Erasure,
    Level,
    Listen,
    Profile,
    ProfileDeleted,
    Stream,
    hash_id,
)
from interlude.v1 import events_pb2 as pb
from tests.unit.events import messages
from tests.unit.events.messages import NOW_MS, as_json

READ_STREAMS = [Stream.LISTENS, Stream.AD_EVENTS, Stream.CUSTOMERS]
EXPECTED = [
    (Stream.LISTENS, messages.listen(), Listen(NOW_MS - 1000, hash_id("play-1"), 7, True, -360)),
    (
        Stream.AD_EVENTS,
        messages.ad_event(),
        AdEvent(NOW_MS - 1000, hash_id("offer-1/click"), hash_id("gold"), AdEventKind.CLICK),
    ),
    (
        Stream.CUSTOMERS,
        messages.customer(),
        Profile(
            updated_at_ms=NOW_MS - 1000,
            level=Level.SILVER,
            active=True,
            consent_player_offers=True,
            consent_sms=True,
            gender=1,
            birth_year=1984,
            time_zone="America/Chicago",
        ),
    ),
]


@pytest.mark.parametrize(("stream", "message", "event"), EXPECTED)
def test_binary_and_json_give_the_same_event(stream: Stream, message: Message, event: object) -> None:
    binary: Headers = [("content-type", b"application/x-protobuf")]
    assert read_event(stream, b"42", message.SerializeToString(), binary, NOW_MS) == (42, event)
    assert read_event(stream, b"42", as_json(message), None, NOW_MS) == (42, event)


def test_a_listen_on_a_pc_without_local_time_says_so() -> None:
    listen = messages.listen()
    listen.device = pb.DEVICE_PC
    listen.ClearField("utc_offset_minutes")
    _, event = read_event(Stream.LISTENS, b"42", listen.SerializeToString(), None, NOW_MS)
    assert event == Listen(NOW_MS - 1000, hash_id("play-1"), 7, False, None)


def test_an_offset_of_zero_is_not_the_same_as_none() -> None:
    listen = messages.listen()
    listen.utc_offset_minutes = 0
    _, event = read_event(Stream.LISTENS, b"42", listen.SerializeToString(), None, NOW_MS)
    assert isinstance(event, Listen)
    assert event.utc_offset_minutes == 0


@pytest.mark.parametrize("stream", READ_STREAMS)
@pytest.mark.parametrize("key", [None, b"43", b"042"])
def test_a_record_under_another_key_is_refused(stream: Stream, key: bytes | None) -> None:
    message = {expected: message for expected, message, _ in EXPECTED}[stream]
    with pytest.raises(InvalidEvent, match="validate: the record's key"):
        read_event(stream, key, message.SerializeToString(), None, NOW_MS)


def test_a_tombstone_deletes_the_profile_of_its_key() -> None:
    assert read_event(Stream.CUSTOMERS, b"42", None, None, NOW_MS) == (42, ProfileDeleted())


def test_an_erasure_says_up_to_when() -> None:
    for value in (messages.erasure().SerializeToString(), messages.as_json(messages.erasure())):
        assert read_event(Stream.CUSTOMERS, b"42", value, None, NOW_MS) == (42, Erasure(NOW_MS - 1000))


def test_an_erasure_of_somebody_else_than_its_key_is_refused() -> None:
    with pytest.raises(InvalidEvent, match="key"):
        read_event(Stream.CUSTOMERS, b"43", messages.erasure().SerializeToString(), None, NOW_MS)


@pytest.mark.parametrize("key", [None, b"", b"-1", b"007"])
def test_a_tombstone_without_a_customer_is_refused(key: bytes | None) -> None:
    with pytest.raises(InvalidEvent, match="key"):
        read_event(Stream.CUSTOMERS, key, None, None, NOW_MS)


@pytest.mark.parametrize("stream", [Stream.LISTENS, Stream.AD_EVENTS])
def test_a_tombstone_where_nothing_can_be_deleted_is_refused(stream: Stream) -> None:
    with pytest.raises(InvalidEvent, match="event_id is empty"):
        read_event(stream, b"42", None, None, NOW_MS)


def test_a_stream_that_goes_into_no_state_is_not_taken_for_another() -> None:
    customer = pb.Customer(customer_id=42, updated_at_ms=NOW_MS)
    with pytest.raises(ValueError, match="SMS_EVENTS"):
        read_event(Stream.SMS_EVENTS, b"42", customer.SerializeToString(), None, NOW_MS)


@pytest.mark.parametrize("stream", READ_STREAMS)
def test_an_empty_value_is_no_tombstone(stream: Stream) -> None:
    with pytest.raises(InvalidEvent, match=r"^validate: "):
        read_event(stream, b"0", b"", None, NOW_MS)


@pytest.mark.parametrize("stream", READ_STREAMS)
def test_a_megabyte_is_refused_for_its_size(stream: Stream) -> None:
    with pytest.raises(InvalidEvent) as caught:
        read_event(stream, b"42", b"x" * 1_000_000, None, NOW_MS)
    assert caught.value.stage is Stage.SIZE


def test_a_profile_holds_no_personal_data() -> None:
    _, event = read_event(Stream.CUSTOMERS, b"42", messages.customer().SerializeToString(), None, NOW_MS)
    assert not any(word in repr(event) for word in ("Ada", "Example", "5550100", "60601"))


@given(
    st.sampled_from(READ_STREAMS),
    st.one_of(st.none(), st.binary(max_size=30)),
    st.binary(max_size=200),
    st.one_of(st.none(), st.lists(st.tuples(st.text(max_size=12), st.one_of(st.none(), st.binary(max_size=20))))),
)
def test_garbage_gives_no_other_error(stream: Stream, key: bytes | None, value: bytes, headers: Headers) -> None:
    with pytest.raises(InvalidEvent):
        read_event(stream, key, value, headers, NOW_MS)


@given(st.sampled_from(EXPECTED), st.integers(0, 400), st.integers(0, 255))
def test_an_event_with_one_wrong_byte_is_refused_or_read_and_nothing_else(
    expected: tuple[Stream, Message, object], place: int, byte: int
) -> None:
    stream, message, _ = expected
    value = bytearray(message.SerializeToString())
    value[place % len(value)] = byte
    with suppress(InvalidEvent):
        assert read_event(stream, b"42", bytes(value), None, NOW_MS)[0] == 42
