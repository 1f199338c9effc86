"""Taking one event into a state: pure, total, and independent of order and repetition.

    fold(fold(s, a), b) == fold(fold(s, b), a)      fold(fold(s, a), a) == fold(s, a)

holds for listens, ad events, profiles and erasures, to the byte. A profile's deletion is the one event whose place in the log
counts.
"""

import struct
from bisect import bisect_left
from enum import Enum
from typing import Final, NamedTuple

from interlude.features.erasing import without_erased
from interlude.features.local_time import day_part
from interlude.features.schema import CONTACTS_KEPT, LISTENS_KEPT
from interlude.features.state import (
    AdEvent,
    AdEvents,
    Erasure,
    Event,
    Listen,
    ListenerState,
    ListenMark,
    Listens,
    Profile,
    ProfileDeleted,
    Stream,
)
from interlude.features.tracks import tracks_after

_WORD: Final = struct.Struct("<Q")
_LAST_WORD: Final = -8
# As plain integers: to ask an enum costs more than what is done with the answer.
_MOBILE: Final = ListenMark.MOBILE.value
_LOCAL_TIME_UNKNOWN: Final = ListenMark.LOCAL_TIME_UNKNOWN.value
_Columns = tuple[bytes, bytes, bytes, bytes]


class Outcome(Enum):
    """What became of an event."""

    TAKEN = "taken"
    DUPLICATE = "duplicate"  # the state has it already
    OUTDATED = "outdated"  # older than everything that is kept, than the known profile, or than an erasure


_TAKEN: Final = Outcome.TAKEN


class Folded(NamedTuple):
    """A state with one more event; the very same state unless the event was taken."""

    state: ListenerState
    outcome: Outcome


def fold(state: ListenerState, event: Event) -> Folded:
    """`state` with `event` taken in. Offsets are not touched; see `advance`."""
    if isinstance(event, Listen):
        return _fold_listen(state, event)
    if isinstance(event, AdEvent):
        return _fold_ad_event(state, event)
    if isinstance(event, ProfileDeleted):
        outcome = Outcome.DUPLICATE if state.profile is None else Outcome.TAKEN
        return Folded(state._replace(profile=None), outcome)
    if isinstance(event, Erasure):
        return _fold_erasure(state, event)
    return _fold_profile(state, event)


def advance(state: ListenerState, stream: Stream, position: int) -> ListenerState:
    """`state` marked as including everything of `stream` up to and with `position`."""
    return advance_all(state, (*state.offsets[:stream], position, *state.offsets[stream + 1 :]))


def advance_all(state: ListenerState, offsets: tuple[int, ...]) -> ListenerState:
    """`state` marked as including every stream up to its place in `offsets`; the very same state where it is marked so."""
    if offsets == state.offsets:
        return state
    _, profile, listens, ad_events, erased_at_ms = state
    return ListenerState(offsets, profile, listens, ad_events, erased_at_ms)


def listen_mark(listen: Listen) -> int:
    """The byte that is kept of a listen's device and local time."""
    mark = _MOBILE if listen.mobile else 0
    if listen.utc_offset_minutes is None:
        return mark | _LOCAL_TIME_UNKNOWN
    return mark | day_part(listen.played_at_ms, listen.utc_offset_minutes)


def _fold_listen(state: ListenerState, listen: Listen) -> Folded:
    if listen.played_at_ms <= state.erased_at_ms:
        return Folded(state, Outcome.OUTDATED)
    kept = state.listens
    columns = _insert(
        kept[:4], listen.played_at_ms, listen.event_hash, listen.track_id, listen_mark(listen), LISTENS_KEPT
    )
    if isinstance(columns, Outcome):
        return Folded(state, columns)
    times, hashes, track_ids, marks = columns
    tracks = tracks_after(kept.tracks, kept.track_id, track_ids, listen.track_id)
    listens = Listens(times, hashes, track_ids, marks, tracks)
    return Folded(ListenerState(state.offsets, state.profile, listens, state.ad_events, state.erased_at_ms), _TAKEN)


def _fold_ad_event(state: ListenerState, event: AdEvent) -> Folded:
    if event.at_ms <= state.erased_at_ms:
        return Folded(state, Outcome.OUTDATED)
    kept = state.ad_events
    columns = _insert(kept, event.at_ms, event.event_hash, event.campaign_hash, event.kind, CONTACTS_KEPT)
    if isinstance(columns, Outcome):
        return Folded(state, columns)
    return Folded(state._replace(ad_events=AdEvents(*columns)), Outcome.TAKEN)


def _fold_profile(state: ListenerState, profile: Profile) -> Folded:
    if profile.updated_at_ms <= state.erased_at_ms:
        return Folded(state, Outcome.OUTDATED)
    known = state.profile
    if profile == known:
        return Folded(state, Outcome.DUPLICATE)
    if known is not None and _precedence(profile) < _precedence(known):
        return Folded(state, Outcome.OUTDATED)
    return Folded(state._replace(profile=profile), Outcome.TAKEN)


def _fold_erasure(state: ListenerState, erasure: Erasure) -> Folded:
    if erasure.at_ms == state.erased_at_ms:
        return Folded(state, Outcome.DUPLICATE)
    if erasure.at_ms < state.erased_at_ms:
        return Folded(state, Outcome.OUTDATED)
    return Folded(without_erased(state, erasure.at_ms), Outcome.TAKEN)


def _precedence(profile: Profile) -> tuple[int, str]:
    # Two profiles of one instant: any fixed order will do, as long as the order of arrival does not decide.
    return profile.updated_at_ms, repr(profile)


def _insert(kept: _Columns, at_ms: int, event_hash: int, word: int, mark: int, limit: int) -> _Columns | Outcome:
    """The columns with one more row, cut to the newest `limit`; or why it is not taken."""
    times, hashes, words, marks = kept
    rows = len(marks)
    if not rows or at_ms > _WORD.unpack_from(times, len(times) + _LAST_WORD)[0]:
        # The usual event: newer than all that is kept.
        start, oldest = (8, 1) if rows >= limit else (0, 0)
        return (
            times[start:] + _WORD.pack(at_ms),
            hashes[start:] + _WORD.pack(event_hash),
            words[start:] + _WORD.pack(word),
            marks[oldest:] + bytes((mark,)),
        )
    place = _place(times, hashes, at_ms, event_hash)
    if place < 0:
        return Outcome.DUPLICATE
    if place == 0 and rows >= limit:
        return Outcome.OUTDATED
    byte = place * 8
    columns = (
        times[:byte] + _WORD.pack(at_ms) + times[byte:],
        hashes[:byte] + _WORD.pack(event_hash) + hashes[byte:],
        words[:byte] + _WORD.pack(word) + words[byte:],
        marks[:place] + bytes((mark,)) + marks[place:],
    )
    return columns if rows < limit else _without_oldest(columns)


def _place(times: bytes, hashes: bytes, at_ms: int, event_hash: int) -> int:
    """Where a row belongs by (time, hash), or -1 when it is there already."""
    count = len(times) // 8
    layout = f"<{count}Q"
    keys = list(zip(struct.unpack(layout, times), struct.unpack(layout, hashes), strict=True))
    place = bisect_left(keys, (at_ms, event_hash))
    return -1 if place < count and keys[place] == (at_ms, event_hash) else place


def _without_oldest(columns: _Columns) -> _Columns:
    times, hashes, words, marks = columns
    return times[8:], hashes[8:], words[8:], marks[1:]
