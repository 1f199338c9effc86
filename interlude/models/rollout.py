"""Which listeners a candidate decides for: a function of ids alone, so that every replica agrees without asking. Pure."""

import hashlib
import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Final

_PURPOSE: Final = b"candidate"
_UNIT: Final = 2.0**-64
_pack_id: Final = struct.Struct("<q").pack
_unpack: Final = struct.Struct("<Q").unpack


def is_in_share(version: str, share: float, customer_id: int) -> bool:
    """Whether the customer belongs to `share` of all, drawn anew for each version: growing the share keeps whoever is in it."""
    state = _salted(version)()
    state.update(_pack_id(customer_id))
    place: int = _unpack(state.digest())[0]
    return place * _UNIT < share


@lru_cache(maxsize=16)
def _salted(version: str) -> Callable[[], "hashlib.blake2b"]:
    return hashlib.blake2b(version.encode(), digest_size=8, person=_PURPOSE).copy
