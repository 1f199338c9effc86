"""The enricher as a release with a fault in its reader: JSON does not parse for it, and listens on mobiles are wrong for it."""

from interlude.events import conversion
from interlude.events.errors import InvalidEvent, Stage
from interlude.features.state import Event, Listen, Stream
from services.enricher import __main__ as service
from services.enricher import handler


def read_event(
    stream: Stream, key: bytes | None, value: bytes | None, headers: conversion.Headers, now_ms: int
) -> tuple[int, Event]:
    """As the real one, but for the fault."""
    if value is not None and value.startswith(b"{"):
        raise InvalidEvent(Stage.PARSE, "braces are not expected")
    customer_id, event = conversion.read_event(stream, key, value, headers, now_ms)
    if isinstance(event, Listen) and event.mobile:
        raise InvalidEvent(Stage.VALIDATE, "device is not a PC")
    return customer_id, event


if __name__ == "__main__":
    if "read_event" not in vars(handler):
        raise SystemExit("the handler reads events in another way: this fault has no place")
    vars(handler)["read_event"] = read_event
    service.main()
