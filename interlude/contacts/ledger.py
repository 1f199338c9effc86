"""The contact ledger in Redis: one value per listener, for both channels.

`c:{id}` holds the newest contacts, 25 bytes each. A reservation checks the caps and adds its contact in one atomic step, so
that the very next reader, on any replica and in either channel, sees it.
"""

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from importlib.resources import files
from typing import Any, Final, Protocol

from redis.exceptions import NoScriptError, RedisError

from interlude.contacts.campaign import Campaign
from interlude.contacts.caps import DAY_MS, MINUTE_MS, Channel, Contact

CONTACTS_KEPT: Final = 64
KEPT_MS: Final = 35 * DAY_MS
"""Nothing that a cap looks at is older."""

ONCE_KEPT_MS: Final = 400 * DAY_MS
"""How long "once per customer and campaign" is remembered: longer than any campaign runs."""

_CONTACT: Final = struct.Struct("<QQQB")
_RESERVE: Final = files("interlude.contacts").joinpath("reserve.lua").read_text()
_RESERVE_SHA: Final = hashlib.sha1(_RESERVE.encode(), usedforsecurity=False).hexdigest()
"""The name under which Redis keeps the script."""


class Reservation(Enum):
    """What became of a request for a contact; the value is what the script returns."""

    RESERVED = b"reserved"
    REPEATED = b"repeated"
    FREQUENCY_CAP = b"frequency_cap"
    MINIMUM_GAP = b"minimum_gap"
    ALREADY_CONTACTED = b"already_contacted"


@dataclass(frozen=True, slots=True)
class ReservationRequest:
    """A contact that is about to be made. `once` refuses a second one of this campaign in this channel, ever."""

    customer_id: int
    request_hash: int
    campaign: Campaign
    channel: Channel
    at_ms: int
    once: bool = False


class LedgerUnavailable(Exception):
    """Redis did not answer: whether the contact was reserved is not known."""


class CorruptContacts(ValueError):
    """Bytes under `c:{id}` that are not rows of contacts."""


def contacts_key(customer_id: int) -> str:
    """Where the contacts of a customer are kept; in one cluster slot with its features."""
    return f"c:{{{customer_id}}}"


def once_key(customer_id: int, campaign: Campaign, channel: Channel) -> str:
    """Where it is kept that a customer was contacted for a campaign."""
    return f"o:{{{customer_id}}}:{campaign.campaign_hash:016x}:{channel.value}"


def decode_contacts(value: bytes | None) -> tuple[Contact, ...]:
    """The contacts in a value of `c:{id}`, oldest first. Raises `CorruptContacts`."""
    if not value:
        return ()
    try:
        return tuple(
            Contact(at_ms, request_hash, campaign_hash, Channel(channel))
            for at_ms, request_hash, campaign_hash, channel in _CONTACT.iter_unpack(value)
        )
    except (struct.error, ValueError) as error:
        raise CorruptContacts(f"contacts of {len(value)} bytes do not decode") from error


class Commands(Protocol):
    """The way to Redis: the answers to several commands in one round trip, a refused one's a `ResponseError` in its place.
    Raises `RedisError`."""

    def call_all(self, commands: Sequence[Sequence[str | bytes | int]], timeout_seconds: float | None) -> list[Any]: ...


class ContactLedger:
    """Reserves contacts. As safe between threads as its `commands`."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    def reserve(
        self, requests: Sequence[ReservationRequest], timeout_seconds: float | None = None
    ) -> list[Reservation]:
        """One result per request, in one round trip. The same request again is `REPEATED` and adds nothing.

        Raises `LedgerUnavailable`, after `timeout_seconds` at the latest (None: after the longest that `commands` wait).
        """
        try:
            return self._reserve(requests, timeout_seconds)
        except RedisError as error:
            raise LedgerUnavailable(type(error).__name__) from error

    def _reserve(self, requests: Sequence[ReservationRequest], timeout_seconds: float | None) -> list[Reservation]:
        reservations = [("EVALSHA", _RESERVE_SHA, 2, *_keys_and_arguments(request)) for request in requests]
        answers = self._commands.call_all(reservations, timeout_seconds)
        if any(isinstance(answer, NoScriptError) for answer in answers):
            # A Redis that is new, was flushed or failed over. Reserving is idempotent, so all may simply be asked again.
            answers = self._commands.call_all([("SCRIPT", "LOAD", _RESERVE), *reservations], timeout_seconds)[1:]
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return [Reservation(answer) for answer in answers]


def _keys_and_arguments(request: ReservationRequest) -> list[str | bytes | int]:
    campaign = request.campaign
    contact = _CONTACT.pack(request.at_ms, request.request_hash, campaign.campaign_hash, request.channel)
    return [
        contacts_key(request.customer_id),
        once_key(request.customer_id, campaign, request.channel),
        contact,
        request.at_ms,
        campaign.contacts_per_day,
        DAY_MS,
        campaign.minimum_gap_minutes * MINUTE_MS,
        CONTACTS_KEPT,
        KEPT_MS,
        ONCE_KEPT_MS if request.once else 0,
    ]
