"""The secrets of one run: made anew for every stack, never kept."""

import secrets
from base64 import b64encode
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Keys:
    """Every key that the services share, in base64. Only the public one shows in a repr."""

    model_public_key: str
    """Ed25519, raw, 32 bytes: decision checks a model's manifest with it."""
    model_private_key: str = field(repr=False)
    """Ed25519, raw seed, 32 bytes: trainer signs with it."""
    token_key: str = field(repr=False)
    """32 bytes: decision authenticates outcome tokens with it."""
    phone_key: str = field(repr=False)
    """32 bytes: sms encrypts the phone numbers that it keeps."""


def generate_keys() -> Keys:
    """Fresh keys from the operating system's randomness."""
    private = Ed25519PrivateKey.generate()
    return Keys(
        model_public_key=_text(private.public_key().public_bytes_raw()),
        model_private_key=_text(private.private_bytes_raw()),
        token_key=_text(secrets.token_bytes(_KEY_BYTES)),
        phone_key=_text(secrets.token_bytes(_KEY_BYTES)),
    )


def _text(key: bytes) -> str:
    return b64encode(key).decode()
