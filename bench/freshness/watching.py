"""From when a listen was due to when a reader of Redis finds it in the features: every listen, in a histogram."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

from hdrh.histogram import HdrHistogram

from bench.freshness.schedule import Schedule
from interlude.features.codec import decode_hot

_LONGEST_US: Final = 600_000_000
_DIGITS: Final = 3
_WAIT_SECONDS: Final = 0.1

Read = Callable[[Sequence[bytes]], Sequence[bytes | None]]
"""The values at keys of Redis, None where there is none."""


class Writes(Protocol):
    """Tells which keys were written: `KeyNotifications`."""

    def wait(self, timeout_seconds: float) -> Iterable[bytes]: ...


class Watch:
    """Who has seen which listens of a schedule, and how long each took."""

    def __init__(self, schedule: Schedule, now_ns: Callable[[], int] = time.monotonic_ns) -> None:
        """`now_ns` is the monotonic clock of the schedule."""
        self._schedule: Final = schedule
        self._now_ns: Final = now_ns
        self._histogram: Final = HdrHistogram(1, _LONGEST_US, _DIGITS)
        self._numbers: Final = {
            customer_id: schedule.numbers_of(customer_id)
            for customer_id in range(schedule.first_customer, schedule.first_customer + schedule.customers)
        }
        self._next: Final = {customer_id: next(numbers, None) for customer_id, numbers in self._numbers.items()}
        self.seen = 0
        self.last_seen_ns = now_ns()

    @property
    def missing(self) -> int:
        """Listens of the schedule that nobody has seen yet, also those that are not due yet."""
        return self._schedule.listens - self.seen

    @property
    def measured(self) -> int:
        """Listens in the histogram."""
        return int(self._histogram.get_total_count())

    def percentile_ms(self, share: float) -> float:
        """A percentile (0..1) of the listens after the warm-up, ms, to three digits."""
        return float(self._histogram.get_value_at_percentile(100 * share)) / 1000

    def look(self, keys: Sequence[bytes], read: Read) -> None:
        """Read `keys` and note which listens they include now. A key that is not of this schedule is passed over."""
        values = read(keys)
        seen_ns = self._now_ns()
        for key, value in zip(keys, values, strict=True):
            customer_id = int(key[key.index(b"{") + 1 : key.index(b"}")])
            if value is not None and customer_id in self._next:
                self._note(customer_id, decode_hot(value).newest_listen_ms, seen_ns)

    def give_up(self) -> int:
        """Count what is still missing with the time that it has been waited for; returns how many of the measured that are."""
        before, now_ns = self.measured, self._now_ns()
        for customer_id in self._next:
            self._note(customer_id, self._schedule.played_at_ms(self._schedule.listens), now_ns)
        return self.measured - before

    def _note(self, customer_id: int, newest_ms: int | None, seen_ns: int) -> None:
        number = self._next[customer_id]
        while number is not None and newest_ms is not None and self._schedule.played_at_ms(number) <= newest_ms:
            self.seen += 1
            self.last_seen_ns = seen_ns
            if number >= self._schedule.warm_up:
                self._histogram.record_value(max(1, (seen_ns - self._schedule.due_ns(number)) // 1000))
            number = next(self._numbers[customer_id], None)
        self._next[customer_id] = number


def watch_all(watch: Watch, writes: Writes, read: Read, ends_ns: int) -> None:
    """Look at what is written until every listen was seen, or until `ends_ns` of the monotonic clock."""
    while watch.missing and time.monotonic_ns() < ends_ns:
        keys = list(writes.wait(_WAIT_SECONDS))
        if keys:
            watch.look(keys, read)
