"""When not to ask: a service that refuses calls for overload spends on each refusal nearly what an answer costs.

Adaptive throttling as in "Site Reliability Engineering" (Beyer et al., 2016), chapter 21: with `requests` asked for lately and
`accepts` of them not refused, a question is held back with probability (requests - K accepts) / (requests + 1). So a client
asks for little more than it is answered, however much it wants, and asks for all of it again once nothing is refused. Held back
means "no ad", as refused does, at once and without the network.
"""

import random
import threading
import time
from collections.abc import Callable
from typing import Final

import grpc

HEADROOM: Final = 1.1
"""K: calls asked for each that is taken, while some are refused. With it a service answers at least 1 / K of what it could;
the tenth that it refuses is how a client learns that there is room again."""

WINDOW_SECONDS: Final = 0.25
"""Lately: this window as far as it has come, and the one before. What is asked for grows by a tenth in each, so twice as much takes
some three seconds: faster, a service that has just come up with its calls would be refusing again."""

HELD_BACK_LIMIT: Final = 0.9
"""Share of questions held back at most: whoever asks for little more would not hear that the service has recovered."""

_REFUSALS: Final = frozenset({grpc.StatusCode.RESOURCE_EXHAUSTED.name, grpc.StatusCode.CANCELLED.name})
"""How overload ends a call: CANCELLED is what grpcio's core says for calls that the service never sees."""


class HeldBack(grpc.RpcError):
    """A question that was not sent, because the service refuses too many."""

    def code(self) -> grpc.StatusCode:
        """What the service would have answered."""
        return grpc.StatusCode.RESOURCE_EXHAUSTED


class Throttle:
    """Decides of each question whether it is sent. Safe between threads."""

    def __init__(
        self, seconds: Callable[[], float] = time.monotonic, chance: Callable[[], float] = random.random
    ) -> None:
        """`seconds` is a monotonic clock, `chance` draws from [0, 1)."""
        self._seconds = seconds
        self._chance = chance
        self._lock = threading.Lock()
        self._window = 0
        self._now, self._before = _Counts(), _Counts()

    def ask(self) -> None:
        """Count a question that is about to be sent. Raises `HeldBack` where it is not to be."""
        with self._lock:
            counts = self._turned()
            requests = counts.requests + self._before.requests
            refused = counts.refused + self._before.refused
            counts.requests += 1
            held_back = (requests - HEADROOM * (requests - refused)) / (requests + 1)
            if refused and self._chance() < min(held_back, HELD_BACK_LIMIT):
                raise HeldBack

    def ended(self, status: str) -> None:
        """Learn how a question ended, by the name of its gRPC status; one that was held back is a refusal as well."""
        if status in _REFUSALS:
            with self._lock:
                self._turned().refused += 1

    def _turned(self) -> "_Counts":
        window = int(self._seconds() / WINDOW_SECONDS)
        if window != self._window:
            self._before = self._now if window == self._window + 1 else _Counts()
            self._window, self._now = window, _Counts()
        return self._now


class _Counts:
    """Of one window. What has not ended, or was given up by its caller, counts as taken."""

    def __init__(self) -> None:
        self.requests = 0
        self.refused = 0
