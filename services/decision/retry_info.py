"""`google.rpc.Status` with a `RetryInfo`, as refusals carry it in the trailer `grpc-status-details-bin`.

Two messages of four fields, written here byte by byte: the package that describes them would bring a hundred others.
"""

from datetime import timedelta
from typing import Final

from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration

TRAILER: Final = "grpc-status-details-bin"

_TYPE_URL: Final = "type.googleapis.com/google.rpc.RetryInfo"
_VARINT, _BYTES = 0, 2
_SHORT: Final = 0x80
"""Lengths below this are one byte."""


def with_retry_info(code: int, message: str, retry_after_ms: int) -> bytes:
    """The status, serialized; `message` is the one of `grpc-message`, short and ASCII."""
    delay = Duration()
    delay.FromTimedelta(timedelta(milliseconds=retry_after_ms))
    info = Any(type_url=_TYPE_URL, value=_field(1, delay.SerializeToString()))
    return bytes([1 << 3 | _VARINT, code]) + _field(2, message.encode()) + _field(3, info.SerializeToString())


def _field(number: int, content: bytes) -> bytes:
    if len(content) >= _SHORT:
        raise ValueError(f"a field of {len(content)} bytes, limit {_SHORT - 1}")
    return bytes([number << 3 | _BYTES, len(content)]) + content
