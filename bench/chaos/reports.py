"""What the load generator reports, and what follows from it."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, Self

RECOVERED_SHARE: Final = 0.99
"""Of the answers of a second that have to be whole again for a fault to be over: a busy machine has some hiccups of its own."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Calls of a load, a phase or a window, as bench/load/README.md names them. Latencies in ms, from the intended time."""

    calls: int
    ended: int
    in_time: int
    late: int
    failed: int
    cancelled: int
    held_back: int
    broken: int
    degraded: int
    foreign: int
    seconds: float
    per_second: float
    p50_ms: float
    p99_ms: float
    refused_p50_ms: float
    refused_p99_ms: float
    lag_p99_ms: float
    statuses: Mapping[str, int]
    versions: Mapping[str, int]

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        """From the generator's JSON."""
        return cls(**{field.name: document[field.name] for field in fields(cls)})

    def status(self, code: int) -> int:
        """Calls that ended with that gRPC status."""
        return self.statuses.get(str(code), 0)


@dataclass(frozen=True, slots=True)
class Report:
    """A whole load. `started_s` is epoch seconds."""

    all: Counts
    phases: Sequence[Counts]
    windows: Sequence[Counts]
    window_seconds: float
    started_s: float

    @classmethod
    def read(cls, text: str) -> Self:
        """From the generator's output."""
        document = json.loads(text)
        return cls(
            Counts.read(document),
            [Counts.read(each) for each in document["phases"]],
            [Counts.read(each) for each in document["windows"]],
            document["window_seconds"],
            document["started_unix_s"],
        )

    def between(self, begin_s: float, end_s: float) -> Sequence[Counts]:
        """The windows that have any part in that time, epoch seconds."""
        first = max(0, math.floor((begin_s - self.started_s) / self.window_seconds))
        return self.windows[first : max(first, math.ceil((end_s - self.started_s) / self.window_seconds))]

    def seconds_until_whole(self, since_s: float, until_s: float) -> float:
        """From `since_s` until answers are no longer degraded: the beginning of the first second in which fewer than one in a
        hundred is. All the time up to `until_s` when there is none."""
        in_a_second = round(1 / self.window_seconds)
        first = math.floor((since_s - self.started_s) / self.window_seconds)
        last = math.floor((until_s - self.started_s) / self.window_seconds) - in_a_second
        for place in range(first, last + 1):
            second = self.windows[place : place + in_a_second]
            calls = sum(window.calls for window in second)
            if calls and degraded_share(second) <= 1 - RECOVERED_SHARE:
                return max(0.0, self.started_s + place * self.window_seconds - since_s)
        return until_s - since_s

    def seconds_until_normal(self, since_seconds: float, limit_ms: float) -> float:
        """From `since_seconds` after the start until a whole window has a p99 of no more than `limit_ms`; to its end. All the
        time that is left when there is none."""
        first = math.ceil(since_seconds / self.window_seconds)
        for place, window in enumerate(self.windows[first:], first + 1):
            if window.calls and window.p99_ms <= limit_ms:
                return place * self.window_seconds - since_seconds
        return len(self.windows) * self.window_seconds - since_seconds


def in_time_share(windows: Sequence[Counts]) -> float:
    """Of all calls, those that were answered before their deadline; 0 without any."""
    return _share(windows, lambda window: window.in_time, lambda window: window.ended)


def degraded_share(windows: Sequence[Counts]) -> float:
    """Of all answers, those that were made without something; 0 without any."""
    return _share(windows, lambda window: window.degraded, lambda window: window.calls)


def failed_share(windows: Sequence[Counts]) -> float:
    """Of all calls, those that got no answer and were not late either; 0 without any."""
    return _share(windows, lambda window: window.failed, lambda window: window.ended)


def _share(windows: Sequence[Counts], part: Callable[[Counts], int], whole: Callable[[Counts], int]) -> float:
    total = sum(whole(window) for window in windows)
    return sum(part(window) for window in windows) / total if total else 0.0
