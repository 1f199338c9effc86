"""From a Kafka value to a checked message."""

from collections.abc import Mapping
from typing import Final, TypeVar

from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message

from interlude.events.errors import InvalidEvent, Stage

EVENT_BYTES_LIMIT: Final = 64 * 1024
"""No event of ours comes near; a value beyond it is a mistake upstream, and parsing it would hold everybody up."""

JSON_CONTENT_TYPE: Final = "application/json"
PROTOBUF_CONTENT_TYPE: Final = "application/x-protobuf"

_USUAL_HEADER: Final = ("content-type", PROTOBUF_CONTENT_TYPE.encode())

MessageT = TypeVar("MessageT", bound=Message)


def parse(message_type: type[MessageT], value: bytes, content_type: str = "") -> MessageT:
    """The message in `value`: proto3 JSON when `content_type` says so or it starts with "{", which no binary event of ours
    does; else binary protobuf. Unknown fields are ignored. Raises `InvalidEvent`.
    """
    if len(value) > EVENT_BYTES_LIMIT:
        raise InvalidEvent(Stage.SIZE, f"value has {len(value)} bytes, limit {EVENT_BYTES_LIMIT}")
    if value[:1] == b"{" or _is_json(content_type):
        return _parse_json(message_type, value)
    try:
        return message_type.FromString(value)
    except DecodeError as error:
        raise InvalidEvent(Stage.PARSE, f"not a binary {message_type.DESCRIPTOR.name}") from error


def content_type_of(headers: list[tuple[str, bytes | str | None]] | Mapping[str, bytes | str | None] | None) -> str:
    """The value of the `content-type` header, empty when there is none."""
    # As our own services and most clients write it.
    if isinstance(headers, list) and headers and headers[0] == _USUAL_HEADER:
        return PROTOBUF_CONTENT_TYPE
    pairs = headers.items() if isinstance(headers, Mapping) else headers or ()
    for name, value in pairs:
        if name.lower() == "content-type" and value:
            return value if isinstance(value, str) else value.decode("ascii", "replace")
    return ""


def _is_json(content_type: str) -> bool:
    return content_type != PROTOBUF_CONTENT_TYPE and content_type.lower().startswith(JSON_CONTENT_TYPE)


def _parse_json(message_type: type[MessageT], value: bytes) -> MessageT:
    message = message_type()
    try:
        json_format.Parse(value, message, ignore_unknown_fields=True)
    except (json_format.ParseError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidEvent(Stage.PARSE, f"not a {message_type.DESCRIPTOR.name} in proto3 JSON") from error
    return message
