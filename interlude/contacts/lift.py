"""What the offer changes: conversions of those who saw it against those from whom it was withheld. Pure.

Both groups were decided alike to the end, so they differ in nothing but the offer: the difference of their conversion rates is
its effect on those who would have seen it. Its interval is Newcombe's (1998, method 10), made of two Wilson intervals: it keeps
its promise for the small rates and small holdouts that offers have, where the usual one does not.
"""

import math
from typing import Final, NamedTuple

Z_95: Final = 1.959964


class Group(NamedTuple):
    """Customers of one side, and how many of them converted."""

    customers: int
    converted: int

    @property
    def rate(self) -> float:
        """Share of customers who converted; 0 for nobody."""
        return self.converted / self.customers if self.customers else 0.0


class Lift(NamedTuple):
    """Rate of the treated minus rate of the withheld, with a 95 % interval."""

    difference: float
    low: float
    high: float

    @property
    def is_certain(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low > 0 or self.high < 0


def lift(treated: Group, withheld: Group) -> Lift | None:
    """The effect of the offer; None while one of the groups is empty."""
    if not treated.customers or not withheld.customers:
        return None
    difference = treated.rate - withheld.rate
    treated_low, treated_high = wilson(treated)
    withheld_low, withheld_high = wilson(withheld)
    low = difference - math.hypot(treated.rate - treated_low, withheld_high - withheld.rate)
    high = difference + math.hypot(treated_high - treated.rate, withheld.rate - withheld_low)
    return Lift(difference, low, high)


def wilson(group: Group) -> tuple[float, float]:
    """The 95 % interval of a rate by Wilson (1927); `group` has customers."""
    count, rate = group.customers, group.rate
    scale = 1 + Z_95**2 / count
    middle = (rate + Z_95**2 / (2 * count)) / scale
    half = Z_95 * math.sqrt(rate * (1 - rate) / count + (Z_95 / (2 * count)) ** 2) / scale
    return max(0.0, middle - half), min(1.0, middle + half)
