"""The contact ledger in Redis: one value per listener, for both channels.

`c:{id}` holds the newest contacts, 25 bytes each. A reservation checks the caps and adds its contact in one atomic step, so
that the very next reader, on any replica and in either channel, sees it.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from importlib.resources import files
from typing import Final

import redis
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


class ContactLedger:
    """Reserves contacts. `client` gives the Redis client of the calling thread."""

    def __init__(self, client: Callable[[], "redis.Redis"]) -> None:
        self._client = client
        self._sha = ""

    def reserve(self, requests: Sequence[ReservationRequest]) -> list[Reservation]:
        """One result per request, in one round trip. The same request again is `REPEATED` and adds nothing.

        Raises `LedgerUnavailable`.
        """
        try:
            return self._reserve(requests)
        except RedisError as error:
            raise LedgerUnavailable(type(error).__name__) from error

    def _reserve(self, requests: Sequence[ReservationRequest]) -> list[Reservation]:
        client = self._client()
        if not self._sha:
            self._sha = client.script_load(_RESERVE)
        answers = self._run(client, requests)
        if any(isinstance(answer, NoScriptError) for answer in answers):
            # Redis was flushed or failed over. Reserving is idempotent, so all may simply be asked again.
            self._sha = client.script_load(_RESERVE)
            answers = self._run(client, requests)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return [Reservation(answer) for answer in answers]

    def _run(self, client: "redis.Redis", requests: Sequence[ReservationRequest]) -> list[object]:
        pipeline = client.pipeline(transaction=False)
        for request in requests:
            pipeline.evalsha(self._sha, 2, *_keys_and_arguments(request))
        return list(pipeline.execute(raise_on_error=False))


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
