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
    """How much of the caps is used: contacts in the last 24 hours, and ms since the newest (None: there is none)."""

    contacts_last_day: int
    since_last_contact_ms: int | None


def cap_use(contacts: Sequence[Contact], now_ms: int) -> CapUse:
    """Use of the caps by `contacts` at `now_ms`. A contact exactly 24 hours old no longer counts."""
    if not contacts:
        return CapUse(0, None)
    newest_ms = max(contact.at_ms for contact in contacts)
    counted = sum(contact.at_ms > now_ms - DAY_MS for contact in contacts)
    return CapUse(counted, now_ms - newest_ms)
