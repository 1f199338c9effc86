"""Customers in Redis, one value each: what the rules ask, and the phone number, encrypted.

`p:{id}` = updated_at_ms (int64), layout (1), level, flags, then the sealed phone: nonce and AES-256-GCM ciphertext, with the
customer id as associated data, so that a number cannot be moved to another customer. Of an erased customer it is the instant
of the erasure (int64) alone, by which a replay of an older profile is known for what it is.
"""

import re
import secrets
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntFlag
from typing import Final

import redis
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from interlude.features.state import Erasure, Level
from interlude.servicekit.logs import customer_mark
from services.sms.policy import TextProfile
from services.sms.values import execute, read_values

_HEAD: Final = struct.Struct("<qBBB")
_ERASED: Final = struct.Struct("<q")
_LAYOUT: Final = 1
_NONCE_BYTES: Final = 12
_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")

_PUT_UNLESS_OLDER: Final = """
local known = redis.call('GET', KEYS[1])
if known then
  local known_ms, ms = struct.unpack('<i8', known), struct.unpack('<i8', ARGV[1])
  local erased = #known == 8
  if known_ms > ms or (erased and known_ms == ms) then return 0 end
end
redis.call('SET', KEYS[1], ARGV[1])
return 1
"""


class _Flag(IntFlag):
    ACTIVE = 1
    CONSENT_SMS = 2


@dataclass(eq=False)
class UnreadableProfile(Exception):
    """A value that this service did not write with this key. No retry helps: SMS_PHONE_KEY is not the one it was."""

    mark: str

    def __str__(self) -> str:
        return f"the profile of customer {self.mark} cannot be read; was SMS_PHONE_KEY changed?"


def profile_key(customer_id: int) -> str:
    """Where the profile of a customer is kept; in one cluster slot with its contacts."""
    return f"p:{{{customer_id}}}"


class PhoneSeal:
    """Encrypts and decrypts phone numbers. `key` has 32 bytes."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def close(self, customer_id: int, phone: str) -> bytes:
        """The sealed number; empty for one that is not E.164 and cannot be texted."""
        if not _E164.fullmatch(phone):
            return b""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, phone.encode(), b"%d" % customer_id)

    def open(self, customer_id: int, sealed: bytes) -> str:
        """The number in E.164. Raises `UnreadableProfile` for another customer's seal or another key's."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], b"%d" % customer_id).decode()
        except (InvalidTag, ValueError) as error:
            raise UnreadableProfile(customer_mark(customer_id)) from error


class CustomerDirectory:
    """Profiles by customer. Raises `Unavailable` while Redis does not answer."""

    def __init__(self, client: "redis.Redis") -> None:
        self._client = client
        self._put = client.register_script(_PUT_UNLESS_OLDER)

    def apply(self, changes: Sequence[tuple[int, TextProfile | Erasure | None]]) -> None:
        """Take in profiles in their order; None deletes. A profile older than the known one or than an erasure changes nothing,
        nor does an erasure older than the known profile."""
        if not changes:
            return
        pipeline = self._client.pipeline(transaction=False)
        for customer_id, change in changes:
            if change is None:
                pipeline.delete(profile_key(customer_id))
            else:
                self._put(keys=[profile_key(customer_id)], args=[_encode(change)], client=pipeline)
        execute(pipeline)

    def read(self, customer_ids: Sequence[int]) -> dict[int, TextProfile]:
        """The profiles of those that are known. One round trip."""
        values = read_values(self._client, [profile_key(customer_id) for customer_id in customer_ids])
        pairs = zip(customer_ids, values, strict=True)
        return {
            customer_id: decode_profile(customer_id, value)
            for customer_id, value in pairs
            if value is not None and len(value) != _ERASED.size
        }


def _encode(change: TextProfile | Erasure) -> bytes:
    return _ERASED.pack(change.at_ms) if isinstance(change, Erasure) else encode_profile(change)


def encode_profile(profile: TextProfile) -> bytes:
    """A profile as Redis holds it."""
    flags = _Flag.ACTIVE * profile.active | _Flag.CONSENT_SMS * profile.consent_sms
    return _HEAD.pack(profile.updated_at_ms, _LAYOUT, profile.level, flags) + profile.sealed_phone


def decode_profile(customer_id: int, value: bytes) -> TextProfile:
    """A profile from Redis. Raises `UnreadableProfile`."""
    if len(value) < _HEAD.size or value[8] != _LAYOUT:
        raise UnreadableProfile(customer_mark(customer_id))
    updated_at_ms, _, level, flags = _HEAD.unpack_from(value)
    return TextProfile(
        updated_at_ms=updated_at_ms,
        level=Level(level),
        active=bool(flags & _Flag.ACTIVE),
        consent_sms=bool(flags & _Flag.CONSENT_SMS),
        sealed_phone=value[_HEAD.size :],
    )
