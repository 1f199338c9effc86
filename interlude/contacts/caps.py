"""Frequency caps, pure: what a listener's contacts allow now.

Every cap is a window: so many contacts after a moment and no more. "Three a day" is three after this time yesterday, "20
minutes between two" is none in the last 20 minutes, "two a session" is two since the session began. The policy looks at
the same windows as the reservation, which checks them once more, atomically.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import Final, NamedTuple

from interlude.contacts.campaign import Campaign
from interlude.features.codec import HotFeatures
from interlude.features.session import in_session, nth_newest_listen_ms

MINUTE_MS: Final = 60 * 1000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS
WEEK_MS: Final = 7 * DAY_MS


class Channel(IntEnum):
    """Where a listener was contacted, numbered as on the wire."""

    PLAYER = 1
    SMS = 2


class Contact(NamedTuple):
    """One contact in the ledger. `request_hash` is the 64-bit hash of the request that reserved it; `withheld`: nothing was
    shown, the customer is in the holdout."""

    at_ms: int
    request_hash: int
    campaign_hash: int
    channel: Channel
    withheld: bool = False


class CapKind(IntEnum):
    """Which cap a window belongs to."""

    HOUR = 1
    DAY = 2
    WEEK = 3
    SESSION = 4
    LISTENING_HOUR = 5
    GAP_MINUTES = 6
    GAP_TRACKS = 7


class CapWindow(NamedTuple):
    """At most `limit` contacts later than `since_ms` (epoch ms, itself excluded)."""

    kind: CapKind
    since_ms: int
    limit: int


def windows(campaign: Campaign, listener: HotFeatures | None, now_ms: int) -> tuple[CapWindow, ...]:
    """The caps of `campaign` for this listener at `now_ms`, in the order in which they are applied: hour, day, week, session,
    gap in minutes, gap in tracks, hour of listening. A contact exactly as old as a period no longer counts."""
    found = []
    if campaign.contacts_per_hour is not None:
        found.append(CapWindow(CapKind.HOUR, now_ms - HOUR_MS, campaign.contacts_per_hour))
    found.append(CapWindow(CapKind.DAY, now_ms - DAY_MS, campaign.contacts_per_day))
    if campaign.contacts_per_week is not None:
        found.append(CapWindow(CapKind.WEEK, now_ms - WEEK_MS, campaign.contacts_per_week))
    if campaign.contacts_per_session is not None:
        found.append(CapWindow(CapKind.SESSION, _session_since_ms(listener, now_ms), campaign.contacts_per_session))
    if campaign.minimum_gap_minutes:
        # A gap of 20 minutes is over when the contact is exactly 20 minutes old.
        found.append(CapWindow(CapKind.GAP_MINUTES, now_ms - campaign.minimum_gap_minutes * MINUTE_MS, 1))
    if campaign.minimum_gap_tracks and listener is not None:
        since_ms = nth_newest_listen_ms(listener, campaign.minimum_gap_tracks)
        # Fewer listens than the gap demands: every contact there is was too few tracks ago.
        found.append(CapWindow(CapKind.GAP_TRACKS, 0 if since_ms is None else since_ms, 1))
    if campaign.contacts_per_listening_hour is not None and listener is not None:
        found.append(
            CapWindow(
                CapKind.LISTENING_HOUR, listener.listening_hour_began_ms - 1, campaign.contacts_per_listening_hour
            )
        )
    return tuple(found)


def _session_since_ms(listener: HotFeatures | None, now_ms: int) -> int:
    """A moment just before the session. A track that begins a new session, now, has had no contact in it yet, unless by another
    question about the same track."""
    return listener.session_began_ms - 1 if listener is not None and in_session(listener, now_ms) else now_ms - 1


def violated(windows_: Sequence[CapWindow], contact_times: Sequence[int]) -> CapWindow | None:
    """The first window that is full; `contact_times` in any order."""
    for window in windows_:
        if window.limit <= 0 or sum(at_ms > window.since_ms for at_ms in contact_times) >= window.limit:
            return window
    return None
