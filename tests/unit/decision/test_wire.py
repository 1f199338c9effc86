"""Bytes put together by hand are what protobuf writes, and protobuf reads them as the message built the usual way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlude.v1 import decision_pb2 as pb
from services.decision.wire import bytes_field, float_field, number_field, varint


@given(st.integers(0, 2**64 - 1))
def test_a_number_is_written_as_protobuf_writes_it(value: int) -> None:
    assert varint(value) == _by_protobuf(value)


def _by_protobuf(value: int) -> bytes:
    """What follows the tag of a number; 0 would not be written at all."""
    signed = value if value < 2**63 else value - 2**64
    written = pb.DecideRequest(customer_id=signed).SerializeToString()
    return written[1:] if written else b"\0"


@given(st.binary(max_size=5000))
def test_bytes_are_written_as_protobuf_writes_them(content: bytes) -> None:
    assert bytes_field(11)(content) == pb.DecisionLogged(listener=content).SerializeToString()
    assert bytes_field(12)(content) == pb.DecideResponse(outcome_token=content).SerializeToString()


@pytest.mark.parametrize("size", [0, 1, 127, 128, 2047, 2048, 2049, 16383, 16384, 300_000])
def test_every_width_of_a_length_is_written(size: int) -> None:
    content = bytes(size)
    assert bytes_field(12)(content) == pb.DecisionLogged(contacts=content).SerializeToString()


@given(st.lists(st.floats(width=32, allow_nan=False), max_size=20))
def test_packed_numbers_are_a_field_of_bytes(values: list[float]) -> None:
    written = pb.DecisionLogged(features=values).SerializeToString()
    packed = written[2:] if values else b""
    assert bytes_field(5)(packed) == written


@given(st.floats(width=32, allow_nan=False))
def test_an_optional_float_is_written_even_where_it_is_nought(value: float) -> None:
    assert float_field(5)(value) == pb.DecideResponse(score=value).SerializeToString()


@given(st.integers(0, 2**63 - 1))
def test_an_optional_number_is_written_even_where_it_is_nought(value: int) -> None:
    assert number_field(9)(value) == pb.DecideResponse(feature_age_ms=value).SerializeToString()


@given(st.floats(0, 1))
def test_a_float_is_rounded_as_protobuf_rounds_it(value: float) -> None:
    assert float_field(5)(value) == pb.DecideResponse(score=value).SerializeToString()


@given(st.text(max_size=300), st.integers(1, 2**63 - 1))
def test_messages_one_after_the_other_are_one_message(arm: str, age_ms: int) -> None:
    first, second = pb.DecideResponse(arm=arm), pb.DecideResponse(feature_age_ms=age_ms)
    joined = pb.DecideResponse.FromString(first.SerializeToString() + second.SerializeToString())
    assert joined == pb.DecideResponse(arm=arm, feature_age_ms=age_ms)
