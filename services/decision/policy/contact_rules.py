"""Rules about contacts: the frequency caps, the gap between two, and the hour of listening.

They look at the same windows as the reservation that follows (`interlude.contacts.caps`), which checks them once more, atomically.
"""

from typing import Final

from interlude.contacts.campaign import Campaign
from interlude.contacts.caps import MINUTE_MS, CapKind, CapWindow, violated, windows
from interlude.features.schema import RECENT_LISTENS, SESSION_PAUSE_MS
from interlude.features.session import in_session, nth_newest_listen_ms
from services.decision.policy.changes import Change, Way, apply, campaign_change, play, wait_until
from services.decision.policy.facts import Facts
from services.decision.policy.quick_contacts import frequency_cap, listening_hour, minimum_gap
from services.decision.policy.reasons import Reason
from services.decision.policy.rule import Matches, Rule
from services.decision.policy.texts import counted, elapsed

_CAPS: Final = (CapKind.HOUR, CapKind.DAY, CapKind.WEEK, CapKind.SESSION)
_GAPS: Final = (CapKind.GAP_MINUTES, CapKind.GAP_TRACKS)
_LISTENING: Final = (CapKind.LISTENING_HOUR,)

_PERIODS: Final = {
    CapKind.HOUR: "in the last hour",
    CapKind.DAY: "in the last 24 h",
    CapKind.WEEK: "in the last 7 days",
    CapKind.SESSION: "in this session",
    CapKind.LISTENING_HOUR: "in the latest hour of listening",
}
_FIELDS: Final = {
    CapKind.HOUR: "contacts_per_hour",
    CapKind.DAY: "contacts_per_day",
    CapKind.WEEK: "contacts_per_week",
    CapKind.SESSION: "contacts_per_session",
    CapKind.LISTENING_HOUR: "contacts_per_listening_hour",
}
_HIGHEST_CAP: Final = 60
"""What a campaign document allows at most, of every cap."""


def _windows(facts: Facts, kinds: tuple[CapKind, ...]) -> list[CapWindow]:
    found = windows(facts.campaign, facts.listener, facts.now_ms)
    return [window for window in found if window.kind in kinds]


def _full(facts: Facts, kinds: tuple[CapKind, ...]) -> list[CapWindow]:
    return [window for window in _windows(facts, kinds) if violated((window,), facts.contact_times) is not None]


def _any_full(kinds: tuple[CapKind, ...]) -> Matches:
    def matches(facts: Facts) -> bool:
        return violated(_windows(facts, kinds), facts.contact_times) is not None

    return matches


def _count(window: CapWindow, facts: Facts) -> int:
    return sum(at_ms > window.since_ms for at_ms in facts.contact_times)


def _caps_text(facts: Facts, kinds: tuple[CapKind, ...]) -> str:
    texts = [
        f"{counted(_count(window, facts), 'contact')} {_PERIODS[window.kind]}, cap {window.limit}"
        for window in _windows(facts, kinds)
    ]
    return "; ".join(texts) or "no cap"


def _room_ms(facts: Facts, kinds: tuple[CapKind, ...]) -> int:
    """The first moment from now on at which no window is full; none of them may have a limit of 0, which never has room."""
    while (window := violated(_windows(facts, kinds), facts.contact_times)) is not None:
        facts = facts._replace(now_ms=_leaves_ms(window, facts))
    return facts.now_ms


def _leaves_ms(window: CapWindow, facts: Facts) -> int:
    """When as many contacts have left a full window as are beyond its limit, and one more."""
    inside = sorted(at_ms for at_ms in facts.contact_times if at_ms > window.since_ms)
    last_ms = inside[len(inside) - window.limit]
    if window.kind is CapKind.SESSION:
        listener = facts.listener
        if listener is not None and listener.newest_listen_ms is not None and in_session(listener, facts.now_ms):
            return listener.newest_listen_ms + SESSION_PAUSE_MS + 1
        return last_ms + 1
    return last_ms + (facts.now_ms - window.since_ms)


def _raised(full: list[CapWindow], facts: Facts) -> Way | None:
    """Room in these windows by raising their caps; None where a document does not allow it."""
    changes = []
    for window in full:
        field, cap = _FIELDS[window.kind], _count(window, facts) + 1
        if cap > _HIGHEST_CAP:
            return None
        changes.append(campaign_change(field, cap, f"raise {field} to {cap}"))
    return tuple(changes)


def _cap_ways(facts: Facts) -> tuple[Way, ...]:
    """Waiting, where a cap of 0 has to be raised all the same; raising every cap that is reached."""
    full = _full(facts, _CAPS)
    raised = _raised([window for window in full if window.limit == 0], facts)
    ways: list[Way | None] = [] if raised is None else [_waited(raised, facts)]
    ways.append(_raised(full, facts))
    return tuple(way for way in ways if way is not None)


def _waited(raised: Way, facts: Facts) -> Way:
    room_ms = _room_ms(apply(raised, facts), _CAPS)
    return (wait_until(room_ms, facts), *raised) if room_ms > facts.now_ms else raised


def _gap_text(facts: Facts) -> str:
    campaign, now_ms = facts.campaign, facts.now_ms
    last_ms = max(facts.contact_times, default=None)
    gap = f"minimum gap {campaign.minimum_gap_minutes} min"
    if campaign.minimum_gap_tracks:
        gap = f"{gap} and {counted(campaign.minimum_gap_tracks, 'track')}"
    if last_ms is None:
        return f"no contact yet, {gap}"
    since = f"last contact {elapsed(now_ms - last_ms)} ago"
    if campaign.minimum_gap_tracks:
        since = f"{since}, {counted(_tracks_since(last_ms, facts), 'track')} since"
    return f"{since}, {gap}"


def _tracks_since(contact_ms: int, facts: Facts) -> int:
    """Tracks begun since a contact, as far back as is known."""
    if facts.listener is None:
        return 0
    begun = [nth_newest_listen_ms(facts.listener, place) for place in range(1, RECENT_LISTENS + 1)]
    return sum(begun_ms is not None and begun_ms >= contact_ms for begun_ms in begun)


def _gap_ways(facts: Facts) -> tuple[Way, ...]:
    return (*_gone_by(facts), _narrowed(facts))


def _gone_by(facts: Facts) -> tuple[Way, ...]:
    """The way of waiting, and of playing tracks where that is not enough; none where a contact lies ahead of the tracks."""
    room_ms = _room_ms(facts, (CapKind.GAP_MINUTES,))
    way: Way = (wait_until(room_ms, facts),) if room_ms > facts.now_ms else ()
    if not _full(apply(way, facts), _GAPS):
        return (way,)
    played = ((*way, play(tracks)) for tracks in range(1, facts.campaign.minimum_gap_tracks + 1))
    return next(((longer,) for longer in played if not _full(apply(longer, facts), _GAPS)), ())


def _narrowed(facts: Facts) -> Way:
    """The way of lowering the gaps to what has gone by."""
    return tuple(_lowered(window.kind, facts) for window in _full(facts, _GAPS))


def _lowered(kind: CapKind, facts: Facts) -> Change:
    if kind is CapKind.GAP_MINUTES:
        minutes = max(0, (facts.now_ms - max(facts.contact_times)) // MINUTE_MS)
        return campaign_change("minimum_gap_minutes", minutes, f"lower minimum_gap_minutes to {minutes}")
    lower = range(facts.campaign.minimum_gap_tracks - 1, -1, -1)
    changes = (
        campaign_change("minimum_gap_tracks", tracks, f"lower minimum_gap_tracks to {tracks}") for tracks in lower
    )
    # Without a gap there is no window to be full.
    return next(change for change in changes if not _full(apply((change,), facts), (CapKind.GAP_TRACKS,)))


def _listening_ways(facts: Facts) -> tuple[Way, ...]:
    """Waiting changes nothing, and how much is listened to until then is not known."""
    raised = _raised(_full(facts, _LISTENING), facts)
    return () if raised is None else (raised,)


def _has_gap(campaign: Campaign) -> bool:
    return campaign.minimum_gap_minutes > 0 or campaign.minimum_gap_tracks > 0


FREQUENCY_CAP: Final = Rule(
    Reason.FREQUENCY_CAP,
    _any_full(_CAPS),
    lambda facts: _caps_text(facts, _CAPS),
    _cap_ways,
    "contacts of all campaigns in every channel, in an hour, a day, a week and a session, with the caps of each",
    "wait until enough contacts have left the period, or the session is over; raise the cap",
    ("contacts_per_hour", "contacts_per_day", "contacts_per_week", "contacts_per_session"),
    quick=frequency_cap,
)
MINIMUM_GAP: Final = Rule(
    Reason.MINIMUM_GAP,
    _any_full(_GAPS),
    _gap_text,
    _gap_ways,
    "the time and the tracks since the last contact, of whichever campaign and channel",
    "wait, and listen to more tracks",
    ("minimum_gap_minutes", "minimum_gap_tracks"),
    concerns=_has_gap,
    quick=minimum_gap,
)
LISTENING_HOUR: Final = Rule(
    Reason.LISTENING_HOUR,
    _any_full(_LISTENING),
    lambda facts: _caps_text(facts, _LISTENING),
    _listening_ways,
    "contacts in the latest 60 minutes of listening, however many sessions they are spread over, with the cap",
    "listen on until fewer contacts are in the hour, or raise the cap",
    ("contacts_per_listening_hour",),
    concerns=lambda campaign: campaign.contacts_per_listening_hour is not None,
    quick=listening_hour,
)
