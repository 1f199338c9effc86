"""Protobuf's wire format, as far as messages are put together from bytes that exist already.

Serialised messages of one type, one after the other, are one message that has the fields of all of them: so a record is made of
a request as it came and a response as it went, without taking either apart. Everything else is left to protobuf.
"""

import struct
from collections.abc import Callable
from typing import Final

_VARINT: Final = 0
_LENGTH_DELIMITED: Final = 2
_FIXED_32: Final = 5
_PAYLOAD_BITS: Final = 7
_CONTINUED: Final = 0x80


def varint(value: int) -> bytes:
    """A number from 0 as it stands on the wire: seven bits a byte, the lowest first."""
    encoded = bytearray()
    while value >= _CONTINUED:
        encoded.append(value & (_CONTINUED - 1) | _CONTINUED)
        value >>= _PAYLOAD_BITS
    encoded.append(value)
    return bytes(encoded)


_LENGTHS: Final = tuple(varint(length) for length in range(2048))
"""Ready for nearly everything that is ever put into a record."""


def bytes_field(number: int) -> Callable[[bytes], bytes]:
    """What makes field `number` of its content: a serialised message, bytes, UTF-8, or packed numbers. Of nothing it makes
    nothing, as protobuf does for bytes and strings; a message that is there but empty is beyond it."""
    tag = varint(number << 3 | _LENGTH_DELIMITED)
    prefixes = [tag + length for length in _LENGTHS]

    def encode(content: bytes) -> bytes:
        size = len(content)
        if size < len(prefixes):
            return prefixes[size] + content if size else b""
        return tag + varint(size) + content

    return encode


def float_field(number: int) -> Callable[[float], bytes]:
    """What makes field `number`, an `optional float`, of its value."""
    tag = varint(number << 3 | _FIXED_32)
    pack = struct.Struct(f"<{len(tag)}sf").pack
    return lambda value: pack(tag, value)


def number_field(number: int) -> Callable[[int], bytes]:
    """What makes field `number`, an optional number, of its value from 0."""
    tag = varint(number << 3 | _VARINT)
    return lambda value: tag + varint(value)
