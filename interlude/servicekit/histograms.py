"""Observations by the batch: the locks of a histogram are taken once for all of them."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from itertools import repeat

from prometheus_client import Histogram


class BatchHistogram(Histogram):
    """A histogram that takes many observations at once, for what is counted on every answer."""

    def observe_all(self, amounts: Sequence[float]) -> None:
        """As `observe` for each of `amounts`."""
        self._sum.inc(sum(amounts))
        for place, count in Counter(map(bisect_left, repeat(self._upper_bounds), amounts)).items():
            self._buckets[place].inc(count)

    def observe_alike(self, amount: float, count: int) -> None:
        """As `observe`, `count` times the same."""
        self._sum.inc(amount * count)
        self._buckets[bisect_left(self._upper_bounds, amount)].inc(count)
