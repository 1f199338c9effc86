"""State and features as the bytes that Redis holds.

Two values per customer, under one hash tag so that a cluster keeps them together:

- `s:{id}`, the whole state, read only by the enricher. Its first `HEADER_BYTES` bytes (layout version and offsets) change
  with every event taken in: the enricher writes on condition that they are still what it read.
- `f:{id}`, all that a decision needs, ready to unpack.

Those are the keys of generation 0; of generation n they are `s{n}:{id}` and `f{n}:{id}` (`generation.py`).
"""

import struct
import zlib
from enum import IntFlag
from functools import lru_cache
from typing import Final, NamedTuple

from interlude.features.moment import moment
from interlude.features.offer_counts import OFFER_COUNT_BYTES
from interlude.features.schema import LISTENS_KEPT, RECENT_LISTENS, SCHEMA_VERSION, STATE_FEATURES
from interlude.features.state import AdEvents, Level, ListenerState, Listens, Profile, Stream
from interlude.features.vector import vector

STATE_LAYOUT_VERSION: Final = 2
HOT_LAYOUT_VERSION: Final = 3
"""Layouts of `s:` and `f:` count apart: what is kept of a listener stays valid when a decision is told more of it."""

_HEADER: Final = struct.Struct(f"<B{len(Stream)}q")
HEADER_BYTES: Final = _HEADER.size
_PROFILE: Final = struct.Struct("<qBBBHB")
# Newest erasure, profile flags, kept listens, their different tracks, kept ad events.
_COUNTS: Final = struct.Struct("<qBHHH")

VALUES_MARK: Final = f"{STATE_LAYOUT_VERSION}.{HOT_LAYOUT_VERSION}.{SCHEMA_VERSION}"
"""Changes whenever values of this version and of another may not lie beside one another: both layouts, and the schema."""

_SCHEMA_MARK: Final = zlib.crc32(SCHEMA_VERSION.encode())
# layout, schema mark, level, flags, tracks of the session, recent listens, skips, listens today, words of offer counts; newest
# listen, begin of session and of the hour of listening, streak, dismissal, conversion, end of the day; the vector. Behind them the
# recent listens and the counts of offers (`offer_counts.py`), in words of 4 bytes.
_HOT_BEGIN: Final = "<BIBBBBBBB7q"
_HOT_WRITTEN: Final = struct.Struct(f"{_HOT_BEGIN}{len(STATE_FEATURES)}f")
_HOT_READ: Final = struct.Struct(f"{_HOT_BEGIN}{4 * len(STATE_FEATURES)}s")
_HOT_BYTES: Final = _HOT_READ.size
_REMEMBERED: Final = 16_384
_NONE: Final = -1
"""Of a time or a track that there is none of."""


class CorruptValue(ValueError):
    """Bytes that this version did not write: another layout, another schema, or damage."""


class ProfileFlag(IntFlag):
    """Bits of a profile, in `s:` and `f:` alike."""

    ACTIVE = 1
    CONSENT_PLAYER_OFFERS = 2
    CONSENT_SMS = 4
    KNOWN = 8


# As plain integers: the enricher needs them for every listener of a batch, a decision for every answer.
_ACTIVE: Final = ProfileFlag.ACTIVE.value
_CONSENT_PLAYER_OFFERS: Final = ProfileFlag.CONSENT_PLAYER_OFFERS.value
_CONSENT_SMS: Final = ProfileFlag.CONSENT_SMS.value
_KNOWN: Final = ProfileFlag.KNOWN.value
_HIGHEST_LEVEL: Final = max(Level).value


class HotFeatures(NamedTuple):
    """The value of `f:{id}`: what a decision needs of a listener, times in epoch ms.

    `level` is a `Level`, `flags` are `ProfileFlag`s, as plain numbers: a decision reads them many times, and each operation on
    an enum costs more than the rule it serves.
    """

    level: int
    flags: int
    newest_listen_ms: int | None
    """None: no listen yet."""
    vector: bytes
    """The served features as little-endian float32: those of `schema.STATE_FEATURES`, as stored; or all of `schema.FEATURES`, for a
    model that takes the others too (`moment_features.with_moment`)."""
    session_began_ms: int = 0
    """Begin of the first listen of the newest session: listens without a pause of `SESSION_PAUSE_MS`; 0 without a listen."""
    session_tracks: int = 0
    """Listens of that session; at most `LISTENS_KEPT`."""
    streak_track_id: int | None = None
    """The track of the newest listen where that listen closes an interest, else None."""
    listening_hour_began_ms: int = 0
    """Since when the listener has listened for 60 minutes, pauses left out; 0 where that is longer ago than is remembered."""
    recent_listens: bytes = b""
    """When the newest listens began, at most `RECENT_LISTENS`: seconds before the newest as little-endian uint32, newest first."""
    last_dismiss_ms: int | None = None
    """The newest dismissal of an offer among the ad events kept, whatever the campaign."""
    last_conversion_ms: int | None = None
    """The newest offer taken among the ad events kept, whatever the campaign."""
    skips: int = 0
    """Tracks skipped in a row up to the newest listen, which itself is not among them."""
    listens_today: int = 0
    """Listens of the newest one's local day, up to `day_ends_ms`; at most `LISTENS_KEPT`."""
    day_ends_ms: int = 0
    """When the newest listen's local day ends; 0 without a listen."""
    offer_counts: bytes = b""
    """What became of past offers, as `offer_counts.py` reads it."""


def state_key(customer_id: int, generation: int = 0) -> str:
    """Where the state of a customer is kept in a generation (`generation.py`)."""
    return f"s{generation or ''}:{{{customer_id}}}"


def hot_key(customer_id: int, generation: int = 0) -> str:
    """Where the features of a customer are kept in a generation."""
    return f"f{generation or ''}:{{{customer_id}}}"


def encode_header(state: ListenerState) -> bytes:
    """The first `HEADER_BYTES` bytes of the encoded state."""
    return _HEADER.pack(STATE_LAYOUT_VERSION, *state.offsets)


def encode_state(state: ListenerState) -> bytes:
    """The value of `s:{id}`. Equal states give equal bytes."""
    flags = _flags(state.profile)
    listens, ad_events = state.listens, state.ad_events
    counts = _COUNTS.pack(state.erased_at_ms, flags, len(listens.marks), listens.tracks, len(ad_events.kinds))
    return b"".join((encode_header(state), counts, *listens[:4], *ad_events, _encode_profile(state.profile, flags)))


def decode_state(value: bytes | None) -> ListenerState:
    """The state in a value of `s:{id}`; the empty state for None. Raises `CorruptValue`."""
    if value is None:
        return ListenerState()
    try:
        version, *offsets = _HEADER.unpack_from(value)
        if version != STATE_LAYOUT_VERSION:
            raise CorruptValue(f"state layout {version}, this version reads {STATE_LAYOUT_VERSION}")
        erased_at_ms, flags, listens, tracks, ad_events = _COUNTS.unpack_from(value, HEADER_BYTES)
        listen_columns, end = _columns(value, HEADER_BYTES + _COUNTS.size, listens)
        ad_columns, end = _columns(value, end, ad_events)
        if not min(listens, 1) <= tracks <= listens:
            raise CorruptValue(f"{tracks} different tracks in {listens} listens")
        profile = _decode_profile(value, end, flags)
    except (struct.error, ValueError) as error:
        raise CorruptValue(f"state of {len(value)} bytes does not decode: {error}") from error
    return ListenerState(tuple(offsets), profile, Listens(*listen_columns, tracks), AdEvents(*ad_columns), erased_at_ms)


def encode_hot(state: ListenerState) -> bytes:
    """The value of `f:{id}`."""
    profile = state.profile
    (
        newest, session_began, session_tracks, streak, hour_began, recent, dismiss, conversion, skips, today, day_ends, offers
    ) = moment(state)  # fmt: skip
    fixed = _HOT_WRITTEN.pack(
        HOT_LAYOUT_VERSION,
        _SCHEMA_MARK,
        profile.level if profile else Level.UNKNOWN,
        _flags(profile),
        session_tracks,
        len(recent) // 4,
        skips,
        today,
        len(offers) // 4,
        _NONE if newest is None else newest,
        session_began,
        hour_began,
        _NONE if streak is None else streak,
        _NONE if dismiss is None else dismiss,
        _NONE if conversion is None else conversion,
        day_ends,
        *vector(state),
    )
    return fixed + recent + offers


def decode_hot(value: bytes) -> HotFeatures:
    """The features in a value of `f:{id}`. Raises `CorruptValue`, also for another layout or the vector of another schema."""
    if len(value) < _HOT_BYTES:
        raise CorruptValue(f"features of {len(value)} bytes, this layout has at least {_HOT_BYTES}")
    (
        version, mark, level, flags, tracks, recents, skips, today, offers, newest, session_began, hour_began, streak, dismiss,
        conversion, day_ends, numbers
    ) = _HOT_READ.unpack_from(value)  # fmt: skip
    if version != HOT_LAYOUT_VERSION or mark != _SCHEMA_MARK:
        raise CorruptValue(f"features of layout {version}, schema mark {mark:08x}; expected {_SCHEMA_MARK:08x}")
    offers_at = _HOT_BYTES + 4 * recents
    if len(value) != offers_at + 4 * offers or (offers and 4 * offers not in OFFER_COUNT_BYTES):
        raise CorruptValue(f"features of {len(value)} bytes with {recents} recent listens and {offers} words of offers")
    if level > _HIGHEST_LEVEL:
        raise CorruptValue(f"{level} is not a level")
    if streak < _NONE or dismiss < _NONE or conversion < _NONE:
        raise CorruptValue("a track or a time below zero")
    if newest == _NONE:
        if tracks or recents or session_began or hour_began or streak != _NONE or skips or today or day_ends:
            raise CorruptValue("a session without a listen")
    elif not (
        0 < tracks <= LISTENS_KEPT
        and 0 < recents <= RECENT_LISTENS
        and 0 <= session_began <= newest
        and 0 <= hour_began <= newest
        and skips < LISTENS_KEPT
        and 0 < today <= LISTENS_KEPT
        and newest < day_ends
    ):
        raise CorruptValue(f"a session of {tracks} tracks and {recents} recent listens, or one out of time")
    return HotFeatures(
        level,
        flags,
        None if newest == _NONE else newest,
        numbers,
        session_began,
        tracks,
        None if streak == _NONE else streak,
        hour_began,
        value[_HOT_BYTES:offers_at],
        None if dismiss == _NONE else dismiss,
        None if conversion == _NONE else conversion,
        skips,
        today,
        day_ends,
        value[offers_at:],
    )


def _flags(profile: Profile | None) -> int:
    if profile is None:
        return 0
    return (
        _KNOWN
        | _ACTIVE * profile.active
        | _CONSENT_PLAYER_OFFERS * profile.consent_player_offers
        | _CONSENT_SMS * profile.consent_sms
    )


def _columns(value: bytes, start: int, count: int) -> tuple[tuple[bytes, bytes, bytes, bytes], int]:
    """The packed columns of a table of `count` rows, and where they end."""
    first = start + 8 * count
    second = first + 8 * count
    third = second + 8 * count
    end = third + count
    return (value[start:first], value[first:second], value[second:third], value[third:end]), end


def _encode_profile(profile: Profile | None, flags: int) -> bytes:
    if profile is None:
        return b""
    zone = profile.time_zone.encode()
    fixed = _PROFILE.pack(profile.updated_at_ms, flags, profile.level, profile.gender, profile.birth_year, len(zone))
    return fixed + zone


def _decode_profile(value: bytes, start: int, flags: int) -> Profile | None:
    """The profile, which is the last of a state: nothing may be missing of it or follow it."""
    if not flags & _KNOWN:
        _check_end(value, start)
        return None
    return _known_profile(value[start:], flags)


@lru_cache(maxsize=_REMEMBERED)
def _known_profile(value: bytes, flags: int) -> Profile:
    """Whoever listens now is decoded with every track, with the same profile."""
    updated_at_ms, _, level, gender, birth_year, zone_bytes = _PROFILE.unpack_from(value)
    zone_start = _PROFILE.size
    _check_end(value, zone_start + zone_bytes)
    return Profile(
        updated_at_ms=updated_at_ms,
        level=Level(level),
        active=bool(flags & _ACTIVE),
        consent_player_offers=bool(flags & _CONSENT_PLAYER_OFFERS),
        consent_sms=bool(flags & _CONSENT_SMS),
        gender=gender,
        birth_year=birth_year,
        time_zone=value[zone_start:].decode(),
    )


def _check_end(value: bytes, end: int) -> None:
    if len(value) != end:
        raise CorruptValue(f"its counts make {end} bytes")
