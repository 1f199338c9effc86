"""How far each request got, in Redis: what makes "at most once" hold over crashes and rebalances.

`q:{id}:<hash of the request id>` holds one `Entry`; `m:<operator's message id>` leads from a receipt back to its request.
A message may be submitted only by the process whose token stands in the request's SUBMITTING entry.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

import redis

from interlude.contacts.caps import DAY_MS
from interlude.contacts.ledger import ONCE_KEPT_MS
from interlude.features.state import hash_id
from services.sms.policy import Reason, TextRequest
from services.sms.values import execute, read_values

SUPPRESSED_KEPT_MS: Final = DAY_MS
"""Nothing was sent: remembered only as long as the same request may come again after a crash."""

RECEIPT_KEPT_MS: Final = 14 * DAY_MS
"""Longer than any operator keeps trying to deliver."""

_ENTRY: Final = struct.Struct("<BBqq")

# KEYS: entry. ARGV: the entry it must be (empty: none), the entry it becomes, ms kept. Asking twice answers the same.
_REPLACE: Final = """
local known = redis.call('GET', KEYS[1]) or ''
if known ~= ARGV[1] and known ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
"""


class Status(IntEnum):
    """How far a request got. Those below 64 are numbered as on the wire."""

    ACCEPTED = 1
    SENT = 2
    DELIVERED = 3
    FAILED = 4
    SUPPRESSED = 5
    SUBMITTING = 64
    """The operator may have it. Without a later entry nobody knows."""


class RequestKey(NamedTuple):
    """Names a request in Redis."""

    customer_id: int
    request_hash: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One request's state. Times are epoch ms, `accepted_at_ms` 0 where no contact was reserved. `note` is the operator's
    message id, and with SUBMITTING the token of the process that submits."""

    status: Status
    reason: Reason = Reason.NONE
    accepted_at_ms: int = 0
    at_ms: int = 0
    note: bytes = b""


class SentText(NamedTuple):
    """What a receipt needs to know of the message it is about."""

    customer_id: int
    campaign_id: str
    request_id: str


class Change(NamedTuple):
    """An entry as it must be (None: absent) and as it is to be."""

    key: RequestKey
    before: Entry | None
    after: Entry


def key_of(request: TextRequest) -> RequestKey:
    """Where the state of `request` is kept."""
    return RequestKey(request.customer_id, hash_id(request.request_id))


def entry_key(key: RequestKey) -> str:
    """Its name in Redis; in one cluster slot with the customer's contacts."""
    return f"q:{{{key.customer_id}}}:{key.request_hash:016x}"


def message_key(message_id: str) -> str:
    """Where it is kept which request a message of the operator belongs to."""
    return f"m:{message_id}"


def encode_entry(entry: Entry) -> bytes:
    """An entry as Redis holds it."""
    return _ENTRY.pack(entry.status, entry.reason, entry.accepted_at_ms, entry.at_ms) + entry.note


def decode_entry(value: bytes) -> Entry:
    """An entry from Redis. Raises ValueError or struct.error for bytes that are not ours."""
    status, reason, accepted_at_ms, at_ms = _ENTRY.unpack_from(value)
    return Entry(Status(status), Reason(reason), accepted_at_ms, at_ms, value[_ENTRY.size :])


class Journal:
    """Entries by request. Raises `Unavailable` while Redis does not answer; the same call may then be made again."""

    def __init__(self, client: "redis.Redis") -> None:
        self._client = client
        self._replace = client.register_script(_REPLACE)

    def read(self, keys: Sequence[RequestKey]) -> dict[RequestKey, Entry]:
        """The entries of those that have one. One round trip."""
        values = read_values(self._client, [entry_key(key) for key in keys])
        return {key: decode_entry(value) for key, value in zip(keys, values, strict=True) if value is not None}

    def replace(self, changes: Sequence[Change]) -> list[bool]:
        """Make every change whose entry is still what it must be; tells for each whether it now is what it is to be."""
        if not changes:
            return []
        pipeline = self._client.pipeline(transaction=False)
        for key, before, after in changes:
            arguments: list[bytes | int] = [
                encode_entry(before) if before else b"",
                encode_entry(after),
                _kept_ms(after),
            ]
            self._replace(keys=[entry_key(key)], args=arguments, client=pipeline)
        return [bool(answer) for answer in execute(pipeline)]

    def write(self, ends: Mapping[RequestKey, tuple[TextRequest, Entry]]) -> None:
        """Keep how requests ended, and for those sent the way back from their receipt."""
        pipeline = self._client.pipeline(transaction=False)
        for key, (request, entry) in ends.items():
            pipeline.set(entry_key(key), encode_entry(entry), px=_kept_ms(entry))
            if entry.status is Status.SENT and entry.note:
                pipeline.set(message_key(entry.note.decode()), _encode_sent(request), px=RECEIPT_KEPT_MS)
        execute(pipeline)

    def find_sent(self, message_ids: Sequence[str]) -> dict[str, SentText]:
        """The messages of ours among `message_ids`. One round trip."""
        values = read_values(self._client, [message_key(message_id) for message_id in message_ids])
        pairs = zip(message_ids, values, strict=True)
        return {message_id: _decode_sent(value) for message_id, value in pairs if value is not None}

    def forget_sent(self, message_ids: Sequence[str]) -> None:
        """Their last receipt has come."""
        pipeline = self._client.pipeline(transaction=False)
        for message_id in message_ids:
            pipeline.delete(message_key(message_id))
        execute(pipeline)


def _kept_ms(entry: Entry) -> int:
    # As long as the ledger's once-marker, which is older: whoever finds that marker finds how the request ended, too.
    return SUPPRESSED_KEPT_MS if entry.status is Status.SUPPRESSED else ONCE_KEPT_MS


def _encode_sent(request: TextRequest) -> bytes:
    return f"{request.customer_id}\0{request.campaign_id}\0{request.request_id}".encode()


def _decode_sent(value: bytes) -> SentText:
    customer_id, campaign_id, request_id = value.decode().split("\0", 2)
    return SentText(int(customer_id), campaign_id, request_id)
