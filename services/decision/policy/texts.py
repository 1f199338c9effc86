"""Spans, counts and moments as a person says them."""

from datetime import UTC, datetime
from typing import Final

_SECOND_MS: Final = 1000
_MINUTE_MS: Final = 60 * _SECOND_MS
_MINUTES_OF_DAY: Final = 24 * 60
_DAYS_FROM_MINUTES: Final = 2 * _MINUTES_OF_DAY
"""From two days on a span is said in days: "47 h 5 min", but "2 d 3 h"."""


def duration(span_ms: int) -> str:
    """A span to wait, rounded up: "3 h 12 min", "40 s", "2 d 3 h"."""
    seconds = max(0, -(-span_ms // _SECOND_MS))
    if seconds < 60:
        return f"{seconds} s"
    minutes = -(-seconds // 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < _DAYS_FROM_MINUTES:
        return f"{minutes // 60} h {minutes % 60} min"
    hours = -(-minutes // 60)
    return f"{hours // 24} d {hours % 24} h"


def elapsed(span_ms: int) -> str:
    """A span that has passed, in units that are full: 19 min 59 s ago is less than a gap of 20 min."""
    unit_ms = _MINUTE_MS if span_ms >= _MINUTE_MS else _SECOND_MS
    if span_ms >= _DAYS_FROM_MINUTES * _MINUTE_MS:
        unit_ms = 60 * _MINUTE_MS
    return duration(span_ms // unit_ms * unit_ms)


def moment(at_ms: int) -> str:
    """A moment in UTC to the second: "2026-11-27T00:00:00Z"."""
    return datetime.fromtimestamp(at_ms // _SECOND_MS, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def counted(number: int, noun: str) -> str:
    """ "1 contact", "2 contacts"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def yes_no(answer: bool) -> str:
    """ "yes" or "no"."""
    return "yes" if answer else "no"
