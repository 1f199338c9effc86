"""Frequency caps, pure: what a listener's contacts allow now."""

from collections.abc import Sequence
from enum import IntEnum
from typing import Final, NamedTuple

DAY_MS: Final = 24 * 60 * 60 * 1000
MINUTE_MS: Final = 60 * 1000


class Channel(IntEnum):
    """Where a listener was contacted, numbered as on the wire."""

    PLAYER = 1
    SMS = 2


class Contact(NamedTuple):
    """One contact in the ledger. `request_hash` is the 64-bit hash of the request that reserved it."""

    at_ms: int
    request_hash: int
    campaign_hash: int
    channel: Channel


class CapUse(NamedTuple):
    """How much of the caps is used: ms since the newest contact (None: there is none), and for each contact of the last 24 hours
    the ms until it leaves them, soonest first."""

    since_last_contact_ms: int | None = None
    leave_in_ms: tuple[int, ...] = ()

    @property
    def contacts_last_day(self) -> int:
        """Contacts in the last 24 hours."""
        return len(self.leave_in_ms)


NO_USE: Final = CapUse()


def cap_use(contacts: Sequence[Contact], now_ms: int, *, request_hash: int | None = None) -> CapUse:
    """Use of the caps by `contacts` at `now_ms`. A contact exactly 24 hours old no longer counts.

    The contact that `request_hash` itself reserved does not count against it: asking again must give the same answer.
    """
    times = [contact.at_ms for contact in contacts if contact.request_hash != request_hash]
    if not times:
        return NO_USE
    leave_in_ms = sorted(at_ms + DAY_MS - now_ms for at_ms in times if at_ms > now_ms - DAY_MS)
    # Clocks of replicas differ: a contact that is still to come was just now.
    return CapUse(max(0, now_ms - max(times)), tuple(leave_in_ms))
