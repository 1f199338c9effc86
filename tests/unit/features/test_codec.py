"""State and features as bytes: what was written is read again, anything else is refused."""

import struct
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlude.features.codec import (
    HEADER_BYTES,
    HOT_LAYOUT_VERSION,
    STATE_LAYOUT_VERSION,
    CorruptValue,
    HotFeatures,
    ProfileFlag,
    decode_hot,
    decode_state,
    encode_header,
    encode_hot,
    encode_state,
    hot_key,
    state_key,
)
from interlude.features.fold import advance
from interlude.features.schema import LISTENS_KEPT, RECENT_LISTENS, STATE_FEATURES
from interlude.features.state import Erasure, Level, ListenerState, Profile, Stream
from interlude.features.vector import vector
from tests.unit.features.histories import fold_all, histories, long_history, seeds

states = st.builds(
    lambda events, stream, offset: advance(fold_all(events), stream, offset),
    st.one_of(histories, st.builds(long_history, seeds, st.integers(90, 130))),
    st.sampled_from(Stream),
    st.integers(0, 2**63 - 1),
)
GOLD = Profile(
    1, Level.GOLD, active=True, consent_player_offers=False, consent_sms=True, birth_year=1984, time_zone="Asia/Kolkata"
)
FULL = advance(fold_all([*long_history(seed=3, size=30), GOLD]), Stream.LISTENS, 29)


@settings(max_examples=30)
@given(states)
def test_a_state_is_read_as_it_was_written(state: ListenerState) -> None:
    assert decode_state(encode_state(state)) == state


@settings(max_examples=30)
@given(states)
def test_a_state_begins_with_its_header(state: ListenerState) -> None:
    assert encode_state(state)[:HEADER_BYTES] == encode_header(state)


@settings(max_examples=30)
@given(states)
def test_features_are_read_as_they_were_written(state: ListenerState) -> None:
    hot = decode_hot(encode_hot(state))
    assert struct.unpack(f"<{len(STATE_FEATURES)}f", hot.vector) == pytest.approx(vector(state), abs=1e-7)
    assert hot.level == (state.profile.level if state.profile else Level.UNKNOWN)
    times = [at_ms for (at_ms,) in struct.iter_unpack("<Q", state.listens.played_at_ms)]
    assert hot.newest_listen_ms == max(times, default=None)


def test_features_carry_every_bit_of_the_profile() -> None:
    flags = ProfileFlag.KNOWN | ProfileFlag.ACTIVE | ProfileFlag.CONSENT_SMS
    assert decode_hot(encode_hot(fold_all([GOLD]))) == HotFeatures(
        Level.GOLD, flags, None, bytes(4 * len(STATE_FEATURES))
    )


def test_a_listener_nobody_knows_has_no_bit_set() -> None:
    assert decode_hot(encode_hot(ListenerState())).flags == ProfileFlag(0)


def test_no_value_is_the_empty_state() -> None:
    assert decode_state(None) == ListenerState()


def test_both_values_of_a_customer_share_a_hash_tag() -> None:
    assert (state_key(12), hot_key(12)) == ("s:{12}", "f:{12}")


@pytest.mark.parametrize("state", [ListenerState(), FULL, fold_all([GOLD])])
def test_a_value_cut_anywhere_or_followed_by_anything_is_refused(state: ListenerState) -> None:
    value = encode_state(state)
    for end in range(len(value)):
        with pytest.raises(CorruptValue):
            decode_state(value[:end])
    with pytest.raises(CorruptValue):
        decode_state(value + b"\0")
    hot = encode_hot(state)
    for damaged in (*(hot[:end] for end in range(len(hot))), hot + b"\0"):
        with pytest.raises(CorruptValue):
            decode_hot(damaged)


@pytest.mark.parametrize("version", [0, STATE_LAYOUT_VERSION + 1, 255])
def test_a_state_of_another_layout_is_refused(version: int) -> None:
    with pytest.raises(CorruptValue, match=f"layout {version}"):
        decode_state(bytes((version,)) + encode_state(FULL)[1:])


@pytest.mark.parametrize("version", [0, HOT_LAYOUT_VERSION - 1, HOT_LAYOUT_VERSION + 1, 255])
def test_features_of_another_layout_are_refused(version: int) -> None:
    with pytest.raises(CorruptValue, match=f"layout {version}"):
        decode_hot(bytes((version,)) + encode_hot(FULL)[1:])


def test_features_as_layout_1_wrote_them_are_refused() -> None:
    mark = encode_hot(FULL)[1:5]
    with pytest.raises(CorruptValue, match="39 bytes"):
        decode_hot(b"\x01" + mark + struct.pack("<BBq6f", Level.FREE, 15, 1_700_000_000_000, *vector(FULL)))


def test_of_an_erased_listener_nothing_is_left_but_when() -> None:
    erased = advance(fold_all([*long_history(seed=3, size=30), GOLD, Erasure(2**60)]), Stream.CUSTOMERS, 7)
    assert encode_state(erased) == encode_header(erased) + struct.pack("<q", 2**60) + bytes(7)
    assert encode_hot(erased) == encode_hot(ListenerState())


# Where the fields of `f:` lie: counts of one byte each, then seven times and the streak's track.
_TRACKS, _RECENTS, _SKIPS, _TODAY = 7, 8, 9, 10
_NEWEST, _SESSION_BEGAN, _HOUR_BEGAN, _STREAK, _DISMISS, _CONVERSION, _DAY_ENDS = range(12, 61, 8)
_OFFERS = 36  # bytes behind the recent listens: counts of all offers, and of the only one
_HEARD_MS = fold_all(long_history(seed=3, size=30)).listens.played_at_ms[-8:]


def _with(value: bytes, place: int, field: bytes) -> bytes:
    return value[:place] + field + value[place + len(field) :]


@pytest.mark.parametrize("place", [_NEWEST, _SESSION_BEGAN, _HOUR_BEGAN, _STREAK, _DISMISS, _CONVERSION])
def test_a_negative_time_or_track_is_refused(place: int) -> None:
    with pytest.raises(CorruptValue):
        decode_hot(_with(encode_hot(FULL), place, struct.pack("<q", -2)))


@pytest.mark.parametrize("place", [_SESSION_BEGAN, _HOUR_BEGAN])
def test_what_begins_after_the_newest_listen_is_refused(place: int) -> None:
    (newest_ms,) = struct.unpack("<q", _HEARD_MS)
    value = encode_hot(FULL)
    assert decode_hot(_with(value, place, struct.pack("<q", newest_ms))).newest_listen_ms == newest_ms
    with pytest.raises(CorruptValue, match="out of time"):
        decode_hot(_with(value, place, struct.pack("<q", newest_ms + 1)))


@pytest.mark.parametrize("tracks", [0, LISTENS_KEPT + 1])
def test_an_impossible_number_of_tracks_in_a_session_is_refused(tracks: int) -> None:
    with pytest.raises(CorruptValue, match=f"session of {tracks} tracks"):
        decode_hot(_with(encode_hot(FULL), _TRACKS, bytes((tracks,))))


@pytest.mark.parametrize(
    ("place", "field"),
    [(_SKIPS, bytes((LISTENS_KEPT,))), (_TODAY, b"\0"), (_TODAY, bytes((LISTENS_KEPT + 1,))), (_DAY_ENDS, _HEARD_MS)],
)
def test_an_impossible_day_or_number_of_skips_is_refused(place: int, field: bytes) -> None:
    with pytest.raises(CorruptValue, match="out of time"):
        decode_hot(_with(encode_hot(FULL), place, field))


@pytest.mark.parametrize("recents", [0, RECENT_LISTENS + 1])
def test_an_impossible_number_of_recent_listens_is_refused(recents: int) -> None:
    value = _with(encode_hot(FULL), _RECENTS, bytes((recents,)))
    with pytest.raises(CorruptValue, match=f"{recents} recent listens, or"):
        decode_hot(value[: -4 * RECENT_LISTENS - _OFFERS] + bytes(4 * recents) + value[-_OFFERS:])


@pytest.mark.parametrize(
    ("place", "field"),
    [
        (_TRACKS, b"\1"),
        (_SESSION_BEGAN, struct.pack("<q", 1)),
        (_HOUR_BEGAN, struct.pack("<q", 1)),
        (_STREAK, struct.pack("<q", 7)),
        (_SKIPS, b"\1"),
        (_TODAY, b"\1"),
        (_DAY_ENDS, struct.pack("<q", 1)),
    ],
)
def test_a_session_without_a_listen_is_refused(place: int, field: bytes) -> None:
    with pytest.raises(CorruptValue, match="without a listen"):
        decode_hot(_with(encode_hot(fold_all([GOLD])), place, field))


def test_recent_listens_without_a_listen_are_refused() -> None:
    with pytest.raises(CorruptValue, match="without a listen"):
        decode_hot(_with(encode_hot(fold_all([GOLD])), _RECENTS, b"\1") + bytes(4))


def test_the_vector_of_another_schema_is_refused() -> None:
    value = encode_hot(FULL)
    with pytest.raises(CorruptValue, match="schema mark"):
        decode_hot(value[:1] + bytes((value[1] ^ 1,)) + value[2:])


def test_a_level_that_does_not_exist_is_refused() -> None:
    hot = encode_hot(fold_all([GOLD]))
    with pytest.raises(CorruptValue, match="9 is not a level"):
        decode_hot(hot[:5] + b"\x09" + hot[6:])
    state = encode_state(fold_all([GOLD]))
    level_at = len(state) - len(GOLD.time_zone) - 5
    with pytest.raises(CorruptValue, match="Level"):
        decode_state(state[:level_at] + b"\x09" + state[level_at + 1 :])


def test_a_zone_that_is_no_text_is_refused() -> None:
    with pytest.raises(CorruptValue, match="utf-8"):
        decode_state(encode_state(fold_all([GOLD]))[:-1] + b"\xff")


@settings(max_examples=100)
@given(st.binary(max_size=160), st.sampled_from([b"", bytes((STATE_LAYOUT_VERSION,)), encode_hot(FULL)[:5]]))
def test_random_bytes_are_refused_or_read_and_nothing_else(noise: bytes, beginning: bytes) -> None:
    for decode in (decode_state, decode_hot):
        with suppress(CorruptValue):
            decode(beginning + noise)


@settings(max_examples=100)
@given(st.integers(0, len(encode_state(FULL)) - 1), st.integers(1, 255))
def test_one_wrong_byte_is_refused_or_read_and_nothing_else(place: int, flipped: int) -> None:
    value = bytearray(encode_state(FULL))
    value[place] ^= flipped
    with suppress(CorruptValue):
        decode_state(bytes(value))


@settings(max_examples=100)
@given(st.integers(0, len(encode_hot(FULL)) - 1), st.integers(1, 255))
def test_one_wrong_byte_of_features_is_refused_or_read_and_nothing_else(place: int, flipped: int) -> None:
    value = bytearray(encode_hot(FULL))
    value[place] ^= flipped
    with suppress(CorruptValue):
        decode_hot(bytes(value))
