"""What the state of a listener should say, worked out the slow way: plain lists and sets, `datetime` for local time.

Nothing of the code under test is used but the types of events: numbers are written out, so that a change of one is noticed.
"""

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import combinations, pairwise
from zoneinfo import ZoneInfo

from interlude.features.state import AdEvent, AdEventKind, Erasure, Event, Listen, Profile

_PARTS = ("morning", "afternoon", "evening", "night")


def erased_at_ms(events: Iterable[Event]) -> int:
    """The newest erasure, -1 without one."""
    return max((event.at_ms for event in events if isinstance(event, Erasure)), default=-1)


def kept_listens(events: Sequence[Event]) -> list[Listen]:
    """The newest listens that were not erased, oldest first."""
    after_ms = erased_at_ms(events)
    listens = [event for event in events if isinstance(event, Listen) and event.played_at_ms > after_ms]
    known = {(listen.played_at_ms, listen.event_hash): listen for listen in listens}
    return [known[place] for place in sorted(known)][-100:]


def kept_ad_events(events: Sequence[Event]) -> list[AdEvent]:
    """The newest ad events that were not erased, oldest first."""
    after_ms = erased_at_ms(events)
    ad_events = [event for event in events if isinstance(event, AdEvent) and event.at_ms > after_ms]
    known = {(event.at_ms, event.event_hash): event for event in ad_events}
    return [known[place] for place in sorted(known)][-32:]


def newest_profiles(events: Sequence[Event]) -> list[Profile]:
    """Those of the newest instant that were not erased: one of them is kept."""
    after_ms = erased_at_ms(events)
    profiles = [event for event in events if isinstance(event, Profile) and event.updated_at_ms > after_ms]
    newest_ms = max((profile.updated_at_ms for profile in profiles), default=0)
    return [profile for profile in profiles if profile.updated_at_ms == newest_ms]


def features(listens: list[Listen], zone: str) -> dict[str, float]:
    """The served features of these listens; `zone` counts where a listen does not say its local time."""
    if not listens:
        return dict.fromkeys((*_PARTS, "mobile", "unique"), 0.0)
    parts = [_part_of(_local_time(listen, zone).hour) for listen in listens]
    shares = {part: parts.count(part) / len(parts) for part in _PARTS}
    mobile = sum(1 for listen in listens if listen.mobile) / len(listens)
    return {**shares, "mobile": mobile, "unique": len({listen.track_id for listen in listens}) / len(listens)}


def closing_listens(listens: Iterable[Listen]) -> set[tuple[int, int]]:
    """Track and event hash of every listen that is the last of some three of its track within half an hour."""
    ordered = sorted(set(listens), key=lambda listen: (listen.played_at_ms, listen.event_hash))
    return {
        (track_id, last.event_hash)
        for track_id in {listen.track_id for listen in ordered}
        for first, _, last in combinations([listen for listen in ordered if listen.track_id == track_id], 3)
        if last.played_at_ms - first.played_at_ms <= 1_800_000
    }


def interests(listens: Iterable[Listen]) -> dict[tuple[int, int], list[Listen]]:
    """Of every track and event hash that closes an interest, the window: all that are in some three that it closes, oldest
    first. In the order of the closing listens. Tries all triples; every event hash is there once."""
    ordered = sorted(set(listens), key=lambda listen: (listen.played_at_ms, listen.event_hash))
    windows: dict[int, set[Listen]] = {}
    for track_id in {listen.track_id for listen in ordered}:
        for first, second, last in combinations([listen for listen in ordered if listen.track_id == track_id], 3):
            if last.played_at_ms - first.played_at_ms <= 1_800_000:
                windows.setdefault(last.event_hash, set()).update((first, second, last))
    return {
        (listen.track_id, listen.event_hash): sorted(windows[listen.event_hash])
        for listen in ordered
        if listen.event_hash in windows
    }


def ages_seconds(times: list[int]) -> list[int]:
    """How many whole seconds before the newest of `times`, at least, each of the newest 16 was, newest first."""
    return [
        math.ceil((times[-1] - at_ms) / 1000) for at_ms in reversed(times[-16:]) if times[-1] - at_ms < 2**32 * 1000
    ]


def session(listens: list[Listen]) -> list[Listen]:
    """Those of the newest session, oldest first: walks back one by one until a pause is too long."""
    members: list[Listen] = []
    for listen in reversed(listens):
        if members and members[0].played_at_ms - listen.played_at_ms > 1_800_000:
            break
        members.insert(0, listen)
    return members


def listening_hour_began_ms(times: list[int]) -> int:
    """When the hour of listening up to the newest of `times` began: each begin starts at most 10 minutes of listening."""
    spans = [(begin, min(end, begin + 600_000)) for begin, end in pairwise(times)]
    listened_ms = 0
    for begin, end in reversed(spans):
        if listened_ms + end - begin >= 3_600_000:
            return end - (3_600_000 - listened_ms)
        listened_ms += end - begin
    return 0


def skips(times: list[int], now_ms: int) -> int:
    """Tracks in a row, the newest among them, of which none was heard for 30 seconds by the time that the next began."""
    streak = 0
    for begin, end in reversed(list(pairwise([*times, now_ms]))):
        if end - begin >= 30_000:
            break
        streak += 1
    return streak


def listens_on_day_of(now_ms: int, listens: list[Listen], zone: str) -> int:
    """Listens whose date in `zone` is that of `now_ms`."""
    today = _in_zone(now_ms, zone).date()
    return sum(_in_zone(listen.played_at_ms, zone).date() == today for listen in listens)


def decayed(ad_events: list[AdEvent], kind: AdEventKind, now_ms: int, campaign_hash: int | None = None) -> float:
    """Events of a kind, each half as much per week of its age; with a campaign's hash only those of that campaign."""
    return sum(
        math.exp(-math.log(2) * (now_ms - event.at_ms) / (7 * 86_400_000))
        for event in ad_events
        if event.kind == kind and campaign_hash in (None, event.campaign_hash)
    )


def last_ms(ad_events: list[AdEvent], kind: AdEventKind) -> int | None:
    """When the newest ad event of `kind` was."""
    return max((event.at_ms for event in ad_events if event.kind == kind), default=None)


def _local_time(listen: Listen, zone: str) -> datetime:
    if listen.utc_offset_minutes is not None:
        return _utc(listen.played_at_ms) + timedelta(minutes=listen.utc_offset_minutes)
    return _in_zone(listen.played_at_ms, zone)


def _utc(at_ms: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)


def _in_zone(at_ms: int, zone: str) -> datetime:
    utc = _utc(at_ms)
    known_zones = {"America/Chicago", "Asia/Kolkata", "Pacific/Apia"}
    return utc.astimezone(ZoneInfo(zone)) if zone in known_zones else utc


def _part_of(hour: int) -> str:
    if 5 <= hour <= 11:
        return "morning"
    if 12 <= hour <= 16:
        return "afternoon"
    return "evening" if 17 <= hour <= 21 else "night"
