"""The contact ledger in Redis: one value per listener, for both channels.

`c:{id}` holds the newest contacts, 25 bytes each, in the order of their times. A reservation checks the caps and adds its
contact in one atomic step, so that the very next reader, on any replica and in either channel, sees it.

The times are those of whoever reserved. A contact from a clock that runs ahead is later than every window's begin: it
counts from its reservation on, and as much longer as that clock was ahead.
"""

import struct
from collections.abc import Sequence
from enum import Enum
from typing import Final, NamedTuple

from redis.exceptions import RedisError

from interlude.contacts.campaign import Campaign
from interlude.contacts.caps import DAY_MS, CapKind, CapWindow, Channel, Contact
from interlude.contacts.script import Argument, Commands, Script

CONTACTS_KEPT: Final = 64
"""More than any cap allows: as the oldest go first, no cap misses a contact that it would have to count."""

KEPT_MS: Final = 35 * DAY_MS
"""Nothing that a cap looks at is older."""

ONCE_KEPT_MS: Final = 400 * DAY_MS
"""How long "once per customer and campaign" is remembered: longer than any campaign runs."""

_CONTACT: Final = struct.Struct("<QQQB")
CONTACT_BYTES: Final = _CONTACT.size
_TIMES_AND_REQUESTS: Final = tuple(struct.Struct("<" + "QQ9x" * rows) for rows in range(CONTACTS_KEPT + 1))
"""By number of rows: one call for a whole ledger, every decision reads one."""

_WITHHELD: Final = 0x80
_SCRIPT: Final = Script("reserve.lua")


class Outcome(Enum):
    """What became of a request for a contact."""

    RESERVED = "reserved"
    REPEATED = "repeated"
    """This very request has its contact already."""
    CAPPED = "capped"
    ALREADY_CONTACTED = "already_contacted"
    """By another request for the same campaign, with `once`."""


class Reservation(NamedTuple):
    """The answer to a request; `cap` is the first cap that was full, with CAPPED."""

    outcome: Outcome
    cap: CapKind | None = None


class ReservationRequest(NamedTuple):
    """A contact that is about to be made, unless one of `windows` is full.

    `once` refuses a second one of this campaign in this channel, ever. `withheld`: the customer is in the holdout; the contact
    counts like any other, though nothing is shown.
    """

    customer_id: int
    request_hash: int
    campaign: Campaign
    channel: Channel
    at_ms: int
    windows: tuple[CapWindow, ...]
    once: bool = False
    withheld: bool = False


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


def contact_times(value: bytes | None, request_hash: int) -> tuple[int, ...]:
    """When the contacts in a value of `c:{id}` were, in epoch ms, but for the one of `request_hash`: what a request has
    reserved does not speak against it. Raises `CorruptContacts`."""
    if not value:
        return ()
    try:
        fields = _TIMES_AND_REQUESTS[len(value) // _CONTACT.size].unpack(value)
    except (IndexError, struct.error) as error:
        raise _corrupt(value) from error
    if request_hash in fields:
        pairs = zip(fields[::2], fields[1::2], strict=True)
        return tuple([at_ms for at_ms, owner in pairs if owner != request_hash])
    return fields[::2]


def decode_contacts(value: bytes | None) -> tuple[Contact, ...]:
    """The contacts in a value of `c:{id}`, oldest first. Raises `CorruptContacts`."""
    if not value:
        return ()
    if len(value) > CONTACTS_KEPT * _CONTACT.size:
        raise _corrupt(value)
    try:
        return tuple(
            Contact(at_ms, request_hash, campaign_hash, Channel(channel & ~_WITHHELD), bool(channel & _WITHHELD))
            for at_ms, request_hash, campaign_hash, channel in _CONTACT.iter_unpack(value)
        )
    except (struct.error, ValueError) as error:
        raise _corrupt(value) from error


def has_contact_of(value: bytes, request_hash: int) -> bool:
    """Whether a value of `c:{id}` holds the contact that `request_hash` reserved; one that does not decode holds none."""
    try:
        return bool(value) and request_hash in _TIMES_AND_REQUESTS[len(value) // _CONTACT.size].unpack(value)[1::2]
    except (IndexError, struct.error):
        return False


def encode_contact(contact: Contact) -> bytes:
    """One row of a value of `c:{id}`; a value is its rows, oldest first."""
    channel = contact.channel.value | (_WITHHELD if contact.withheld else 0)
    return _CONTACT.pack(contact.at_ms, contact.request_hash, contact.campaign_hash, channel)


def _corrupt(value: bytes) -> CorruptContacts:
    return CorruptContacts(f"contacts of {len(value)} bytes do not decode")


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
            answers = _SCRIPT.run(self._commands, [_command(request) for request in requests], timeout_seconds)
        except RedisError as error:
            raise LedgerUnavailable(type(error).__name__) from error
        return [_reservation(request, answer) for request, answer in zip(requests, answers, strict=True)]


_PLAIN_ANSWERS: Final = {
    b"reserved": Reservation(Outcome.RESERVED),
    b"repeated": Reservation(Outcome.REPEATED),
    b"already_contacted": Reservation(Outcome.ALREADY_CONTACTED),
}


def _reservation(request: ReservationRequest, answer: bytes | int) -> Reservation:
    if isinstance(answer, int):
        return Reservation(Outcome.CAPPED, request.windows[answer - 1].kind)
    return _PLAIN_ANSWERS[answer]


def _command(request: ReservationRequest) -> tuple[Argument, ...]:
    campaign, channel = request.campaign, request.channel
    keys = [contacts_key(request.customer_id)]
    if request.once:
        keys.append(once_key(request.customer_id, campaign, channel))
    contact = Contact(request.at_ms, request.request_hash, campaign.campaign_hash, channel, request.withheld)
    arguments: list[Argument] = [encode_contact(contact), CONTACTS_KEPT, KEPT_MS, ONCE_KEPT_MS]
    for window in request.windows:
        arguments += (window.since_ms, window.limit)
    return _SCRIPT.command(keys, arguments)
