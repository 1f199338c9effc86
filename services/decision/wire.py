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
_TWO_BYTES: Final = 1 << 2 * _PAYLOAD_BITS

_CONTINUED_TWO: Final = tuple(
    bytes((value & (_CONTINUED - 1) | _CONTINUED, value >> _PAYLOAD_BITS | _CONTINUED)) for value in range(_TWO_BYTES)
)
_LAST: Final = tuple(
    bytes((value,)) if value < _CONTINUED else bytes((value & (_CONTINUED - 1) | _CONTINUED, value >> _PAYLOAD_BITS))
    for value in range(_TWO_BYTES)
)
"""Fourteen bits at a time, ready made: every answer has a time on the wire, which takes four or five bytes."""


def varint(value: int) -> bytes:
    """A number from 0 as it stands on the wire: seven bits a byte, the lowest first."""
    encoded = b""
    while value >= _TWO_BYTES:
        encoded += _CONTINUED_TWO[value & (_TWO_BYTES - 1)]
        value >>= 2 * _PAYLOAD_BITS
    return encoded + _LAST[value]


class Prefixes(dict[int, bytes]):
    """What goes before the content of field `number`, by the content's size: a serialised message, bytes, UTF-8, or packed
    numbers. Before nothing goes nothing, as protobuf does for bytes and strings; a message that is there but empty is beyond it."""

    def __init__(self, number: int) -> None:
        super().__init__({0: b""})
        self._tag = varint(number << 3 | _LENGTH_DELIMITED)

    def __missing__(self, size: int) -> bytes:
        prefix = self._tag + varint(size)
        if size < _TWO_BYTES:
            self[size] = prefix
        return prefix


def bytes_field(number: int) -> Callable[[bytes], bytes]:
    """What makes field `number` of its content, as `Prefixes` says."""
    prefixes = Prefixes(number)
    return lambda content: prefixes[len(content)] + content


def float_field(number: int) -> Callable[[float], bytes]:
    """What makes field `number`, an `optional float`, of its value."""
    tag = varint(number << 3 | _FIXED_32)
    pack = struct.Struct(f"<{len(tag)}sf").pack
    return lambda value: pack(tag, value)


def number_field(number: int) -> Callable[[int], bytes]:
    """What makes field `number`, an optional number, of its value from 0."""
    tag = varint(number << 3 | _VARINT)
    return lambda value: tag + varint(value)
