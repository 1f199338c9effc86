"""How fast messages may go out: a token bucket, and the pauses between attempts. Pure."""

from collections.abc import Iterator
from itertools import count

_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0


class TokenBucket:
    """Allows `per_second` on average and up to a tenth of a second's worth at once."""

    def __init__(self, per_second: float, now_seconds: float) -> None:
        self._per_second = per_second
        self._burst_seconds = max(0.1, 1 / per_second)
        self._next_seconds = now_seconds - self._burst_seconds

    def take(self, now_seconds: float) -> float:
        """Take one token; returns the seconds to wait before it may be used."""
        start_seconds = max(self._next_seconds, now_seconds - self._burst_seconds)
        self._next_seconds = start_seconds + 1 / self._per_second
        return max(0.0, self._next_seconds - now_seconds)


def pauses() -> Iterator[float]:
    """Seconds before each further attempt: doubling, up to 2 s."""
    for attempt in count():
        yield min(_FIRST_PAUSE_SECONDS * 2 ** min(attempt, 10), _LONGEST_PAUSE_SECONDS)
