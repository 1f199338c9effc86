"""A paired bootstrap over listeners: what another draw of the same listeners could have shown.

Rows of one listener are alike, so listeners are drawn, not rows. Listeners in their thousands are first dealt at random into
`BLOCKS` blocks, which are drawn instead: the interval of a mean or a ratio of sums is the same, and its price no longer grows
with the rows. Every measure of one `Resampler` sees the same draws, which is what makes comparisons paired.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from services.trainer.gate import Interval
from services.trainer.linear import Vector

RESAMPLES: Final = 1000
BLOCKS: Final = 1000
LOW_PERCENT: Final = 2.5
HIGH_PERCENT: Final = 97.5


class Resampler:
    """Draws from the listeners in `groups`, shape (rows,); the same seed gives the same draws."""

    def __init__(self, groups: npt.NDArray[np.int64], seed: int, resamples: int = RESAMPLES) -> None:
        chance = np.random.default_rng(seed)
        _, listener = np.unique(groups, return_inverse=True)
        listeners = int(listener.max()) + 1
        self._blocks = min(BLOCKS, listeners)
        self._block = (chance.permutation(listeners) % self._blocks)[listener]
        share = np.full(self._blocks, 1 / self._blocks)
        self._draws: Vector = chance.multinomial(self._blocks, share, size=resamples).astype(np.float64)

    def mean(self, values: Vector, weights: Vector) -> Interval:
        """The mean of `values` where `weights` are above 0, both of shape (rows,), with its 95 % percentile interval; not a number
        where no weight is above 0 or a value is none."""
        products = np.multiply(values, weights, out=np.zeros(weights.shape), where=weights > 0)
        total = float(weights.sum())
        if total <= 0 or not np.all(np.isfinite(products)):
            return Interval(float("nan"), float("nan"), float("nan"))
        below = self._draws @ np.bincount(self._block, weights, self._blocks)
        above = self._draws @ np.bincount(self._block, products, self._blocks)
        drawn = below > 0  # a small slice may be missing from a draw altogether
        low, high = np.percentile(above[drawn] / below[drawn], (LOW_PERCENT, HIGH_PERCENT))
        return Interval(float(products.sum()) / total, float(low), float(high))
