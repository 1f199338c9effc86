"""When to ask twice: after the time that 95 % of this client's own calls take, and seldom.

"The tail at scale" (Dean and Barroso, CACM 2013): a second copy sent after the 95th percentile costs 5 % more calls and cuts
off most of the tail. Asking twice is safe because both copies have one request_id: one impression is reserved at most.
"""

import threading
from collections import deque
from dataclasses import dataclass
from typing import Final

_REFRESH: Final = 16
"""Calls between two looks at the quantile: sorting 256 numbers takes some 10 µs, which not every call should pay."""

_SAVED_HEDGES_LIMIT: Final = 10.0
"""Second copies that a quiet time may save up for a bad one."""


@dataclass(frozen=True, slots=True)
class Hedging:
    """How a client asks twice. Pays where there are several replicas: the second copy goes to the next one."""

    quantile: float = 0.95
    """Of the last calls' latencies; a second copy is sent to a call that takes longer. Between 0 and 1."""

    share: float = 0.05
    """Upper bound of second copies per call, over the client's life. Between 0 and 1."""

    samples_min: int = 100
    """Calls before the first second copy: fewer say nothing about a tail."""

    window: int = 256
    """Calls that the quantile is taken over, the newest."""

    def __post_init__(self) -> None:
        wrong = [f"{name}={value} is not between 0 and 1" for name, value in self._shares() if not 0 < value < 1]
        if not 1 <= self.samples_min <= self.window:
            wrong.append(f"samples_min={self.samples_min} is not between 1 and window={self.window}")
        if wrong:
            raise ValueError("; ".join(wrong))

    def _shares(self) -> tuple[tuple[str, float], ...]:
        return ("quantile", self.quantile), ("share", self.share)


class LatencyQuantile:
    """A quantile of the last latencies, in seconds. Holds `window` numbers, whatever happens. Not safe between threads."""

    def __init__(self, quantile: float, *, samples_min: int, window: int) -> None:
        self._quantile = quantile
        self._samples_min = samples_min
        self._latest: deque[float] = deque(maxlen=window)
        self._since_refresh = 0
        self._seconds: float | None = None

    def add(self, latency_seconds: float) -> None:
        """One call more."""
        self._latest.append(latency_seconds)
        self._since_refresh += 1
        if len(self._latest) >= self._samples_min and (self._seconds is None or self._since_refresh >= _REFRESH):
            ordered = sorted(self._latest)
            self._seconds = ordered[min(int(self._quantile * len(ordered)), len(ordered) - 1)]
            self._since_refresh = 0

    @property
    def seconds(self) -> float | None:
        """The quantile; None before there are `samples_min` calls."""
        return self._seconds


class Hedger:
    """Says of each call whether and when to send its second copy. Safe between threads."""

    def __init__(self, settings: Hedging, deadline_seconds: float) -> None:
        self._share = settings.share
        self._deadline_seconds = deadline_seconds
        self._latencies = LatencyQuantile(settings.quantile, samples_min=settings.samples_min, window=settings.window)
        self._saved_hedges = 0.0
        self._lock = threading.Lock()

    def delay_seconds(self) -> float | None:
        """Counts a call; gives the time after which to send a second copy, None where there is to be none."""
        with self._lock:
            self._saved_hedges = min(self._saved_hedges + self._share, _SAVED_HEDGES_LIMIT)
            delay = self._latencies.seconds
            worth_it = delay is not None and delay < self._deadline_seconds and self._saved_hedges >= 1
            return delay if worth_it else None

    def take(self) -> bool:
        """Whether a second copy may be sent now; True takes it from what is saved up."""
        with self._lock:
            if self._saved_hedges < 1:
                return False
            self._saved_hedges -= 1
            return True

    def ended(self, status: str, latency_seconds: float) -> None:
        """Learns from a call. Other errors than a deadline say nothing about how long an answer takes.

        Those do: where most calls are late the quantile rises to the deadline, and a service in trouble gets no second copies.
        """
        if status in ("OK", "DEADLINE_EXCEEDED"):
            with self._lock:
                self._latencies.add(latency_seconds)
