"""Where a listener is now, from what is kept of them: session, streak, skips, day and hour of listening, newest listens, offers.

Everything follows from the set of kept events alone, so any order and repetition of events gives the same moment. The
enricher works this out for every listener of every batch: walks over the listens go from stretch to stretch by bisection,
not from listen to listen.
"""

import struct
from bisect import bisect_left
from collections.abc import Sequence
from typing import Final, NamedTuple

from interlude.features.interest import streak_track_id
from interlude.features.local_time import local_day
from interlude.features.offer_counts import count_offers
from interlude.features.schema import (
    LISTENING_HOUR_MS,
    LONGEST_TRACK_MS,
    RECENT_LISTENS,
    SESSION_PAUSE_MS,
    SKIP_MS,
)
from interlude.features.state import AdEventKind, AdEvents, ListenerState

_WORD: Final = struct.Struct("<Q")
_SECONDS: Final = tuple(struct.Struct(f"<{count}I") for count in range(RECENT_LISTENS + 1))
_MOST_SECONDS: Final = 2**32 - 1
_DISMISS: Final = bytes((AdEventKind.DISMISS,))
_CONVERSION: Final = bytes((AdEventKind.CONVERSION,))


class Moment(NamedTuple):
    """The fields of `HotFeatures` of the same names."""

    newest_listen_ms: int | None = None
    session_began_ms: int = 0
    session_tracks: int = 0
    streak_track_id: int | None = None
    listening_hour_began_ms: int = 0
    recent_listens: bytes = b""
    last_dismiss_ms: int | None = None
    last_conversion_ms: int | None = None
    skips: int = 0
    listens_today: int = 0
    day_ends_ms: int = 0
    offer_counts: bytes = b""


def moment(state: ListenerState) -> Moment:
    """The moment that `state` ends with."""
    dismiss_ms, conversion_ms = _last_answers(state.ad_events)
    offer_counts = count_offers(state.ad_events) if state.ad_events.kinds else b""
    listens = state.listens
    count = len(listens.marks)
    if not count:
        return Moment(last_dismiss_ms=dismiss_ms, last_conversion_ms=conversion_ms, offer_counts=offer_counts)
    times = struct.unpack(f"<{count}Q", listens.played_at_ms)
    first = _session_start(times)
    today = local_day(times[-1], state.profile.time_zone if state.profile else "")
    return Moment(
        times[-1],
        times[first],
        count - first,
        streak_track_id(listens, times),
        _listening_hour_began_ms(times),
        _recent_listens(times),
        dismiss_ms,
        conversion_ms,
        _skips(times),
        count - bisect_left(times, today.begins_ms),
        today.ends_ms,
        offer_counts,
    )


def _session_start(times: Sequence[int]) -> int:
    """The place of the first listen of the newest session."""
    place = len(times) - 1
    # No pause is longer than the stretch of time it lies in: all within SESSION_PAUSE_MS of a listen is in its session.
    while (earlier := bisect_left(times, times[place] - SESSION_PAUSE_MS, 0, place)) < place:
        place = earlier
    return place


def _listening_hour_began_ms(times: Sequence[int]) -> int:
    """When the `LISTENING_HOUR_MS` of listening up to the newest listen began; 0: longer ago than the oldest of `times`."""
    place = len(times) - 1
    missing_ms = LISTENING_HOUR_MS
    if times[place] - times[0] < missing_ms:
        return 0
    while place:
        at_ms = times[place]
        earlier = bisect_left(times, at_ms - LONGEST_TRACK_MS, 0, place)
        if earlier < place:  # a stretch without a pause
            listened_ms = at_ms - times[earlier]
        else:  # a track of unknown length, then a pause
            earlier = place - 1
            listened_ms = LONGEST_TRACK_MS
        if listened_ms >= missing_ms:
            return times[earlier] + listened_ms - missing_ms
        missing_ms -= listened_ms
        place = earlier
    return 0


def _skips(times: Sequence[int]) -> int:
    """Listens in a row, the newest one's predecessor last, that the next one cut short."""
    place = len(times) - 1
    while place and times[place] - times[place - 1] < SKIP_MS:
        place -= 1
    return len(times) - 1 - place


def _recent_listens(times: Sequence[int]) -> bytes:
    round_up = times[-1] + 999  # so that a listen never seems later than it was
    seconds = [(round_up - at_ms) // 1000 for at_ms in times[: -RECENT_LISTENS - 1 : -1]]
    if seconds[-1] > _MOST_SECONDS:  # 136 years
        seconds = [ago for ago in seconds if ago <= _MOST_SECONDS]
    return _SECONDS[len(seconds)].pack(*seconds)


def _last_answers(ad_events: AdEvents) -> tuple[int | None, int | None]:
    """When the newest dismissal and the newest conversion were."""
    kinds = ad_events.kinds
    if not kinds:
        return None, None
    return _time_at(ad_events, kinds.rfind(_DISMISS)), _time_at(ad_events, kinds.rfind(_CONVERSION))


def _time_at(ad_events: AdEvents, place: int) -> int | None:
    if place < 0:
        return None
    at_ms: int = _WORD.unpack_from(ad_events.at_ms, 8 * place)[0]
    return at_ms
