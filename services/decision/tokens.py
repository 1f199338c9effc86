"""Outcome tokens: proof that an offer was shown by us, carried by the player until it reports what happened.

version (1 byte) | decision id (16) | customer id (8) | shown at, epoch ms (8) | campaign id (1 to 64) | HMAC-SHA256 (32)
"""

import hashlib
import hmac
import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

VALID_MS: Final = 24 * 60 * 60 * 1000
"""The attribution window: what happens later is not credited to the impression."""

_VERSION: Final = 1
_BODY: Final = struct.Struct(">B16sQQ")
_MAC_BYTES: Final = 32


class TokenFault(StrEnum):
    """What is wrong with a token."""

    FORGED = "forged"
    """Its bytes are not ours: invented, changed, cut off, or signed with another key. No decision was made for it."""
    EXPIRED = "expired"


@dataclass(eq=False)
class InvalidToken(Exception):
    """A token that we did not issue, or not lately."""

    fault: TokenFault
    problem: str


class Shown(NamedTuple):
    """The impression that a token proves. `decision_id` is 32 hex digits."""

    decision_id: str
    customer_id: int
    campaign_id: str
    shown_at_ms: int


class TokenIssuer:
    """Issues and checks tokens under one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def issue(self, shown: Shown) -> bytes:
        """The token of an impression."""
        body = _BODY.pack(_VERSION, bytes.fromhex(shown.decision_id), shown.customer_id, shown.shown_at_ms)
        body += shown.campaign_id.encode()
        return body + self._mac(body)

    def check(self, token: bytes, now_ms: int) -> Shown:
        """The impression in `token`. Raises `InvalidToken`."""
        body, mac = token[:-_MAC_BYTES], token[-_MAC_BYTES:]
        if len(body) <= _BODY.size or not hmac.compare_digest(mac, self._mac(body)):
            raise InvalidToken(TokenFault.FORGED, "was not issued by this service")
        _, decision_id, customer_id, shown_at_ms = _BODY.unpack_from(body)
        if now_ms > shown_at_ms + VALID_MS:
            raise InvalidToken(TokenFault.EXPIRED, f"expired {(now_ms - shown_at_ms - VALID_MS) // 1000} s ago")
        return Shown(decision_id.hex(), customer_id, body[_BODY.size :].decode(), shown_at_ms)

    def _mac(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, hashlib.sha256)
