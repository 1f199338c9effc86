"""Leaving alone what has just failed."""

import time
from collections.abc import Callable
from typing import Final


class CircuitBreaker:
    """Open for a while after each failure: nobody waits for what is broken, and it is not asked by all at once when it comes back.

    Then it is closed again, and the next failure is the next one's who asks. Safe between threads.
    """

    def __init__(self, open_seconds: float, now_seconds: Callable[[], float] = time.monotonic) -> None:
        """`now_seconds` is a monotonic clock."""
        self._open_seconds: Final = open_seconds
        self._now_seconds: Final = now_seconds
        self._open_until_seconds = float("-inf")

    @property
    def is_open(self) -> bool:
        """Whether it failed a moment ago."""
        return self._now_seconds() < self._open_until_seconds

    def trip(self) -> None:
        """It has failed now."""
        self._open_until_seconds = self._now_seconds() + self._open_seconds
