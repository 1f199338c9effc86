"""Generations: their document, their offsets, their keys."""

import pytest

from interlude.features.codec import HOT_LAYOUT_VERSION, STATE_LAYOUT_VERSION, VALUES_MARK, hot_key, state_key
from interlude.features.generation import (
    CorruptGeneration,
    Generation,
    decode_generation,
    decode_offsets,
    encode_generation,
    encode_offsets,
)
from interlude.features.schema import SCHEMA_VERSION

GENERATION = Generation(3, VALUES_MARK, 1_700_000_000_000)


def test_a_document_gives_the_generation_that_made_it() -> None:
    assert decode_generation(encode_generation(GENERATION)) == GENERATION


def test_without_a_document_it_is_generation_0_of_no_schema() -> None:
    assert decode_generation(None) == Generation(0, "", 0)


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"3",
        b"[]",
        b"{}",
        b"\xff",
        b'{"number":3,"schema":"a"}',
        b'{"number":"3","schema":"a","began_at_ms":1}',
        b'{"number":true,"schema":"a","began_at_ms":1}',
        b'{"number":-1,"schema":"a","began_at_ms":1}',
        b'{"number":3,"schema":null,"began_at_ms":1}',
        b'{"number":3,"schema":"a","began_at_ms":1.5}',
    ],
)
def test_what_is_not_ours_is_refused(document: bytes) -> None:
    with pytest.raises(CorruptGeneration):
        decode_generation(document)


def test_offsets_come_back_and_without_any_everything_begins_at_the_beginning() -> None:
    offsets = {"listens/0": 12, "ad-events/3": 0}
    assert decode_offsets(encode_offsets(offsets)) == offsets
    assert decode_offsets(None) == {}


@pytest.mark.parametrize("document", [b"", b"3", b"[1]", b'{"listens/0":"12"}', b'{"listens/0":-1}'])
def test_offsets_that_are_not_ours_are_refused(document: bytes) -> None:
    with pytest.raises(CorruptGeneration):
        decode_offsets(document)


def test_the_same_number_begun_at_another_time_is_another_generation() -> None:
    assert GENERATION.identity == "3:1700000000000"
    assert GENERATION._replace(began_at_ms=1).identity != GENERATION.identity


def test_keys_of_a_generation_carry_its_number_but_for_the_first() -> None:
    assert (state_key(12, 0), hot_key(12, 0)) == ("s:{12}", "f:{12}")
    assert (state_key(12, 7), hot_key(12, 7)) == ("s7:{12}", "f7:{12}")


def test_the_mark_names_both_layouts_and_the_schema() -> None:
    assert VALUES_MARK.split(".") == [str(STATE_LAYOUT_VERSION), str(HOT_LAYOUT_VERSION), SCHEMA_VERSION]
