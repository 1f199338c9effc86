"""How much and how long: everything that a run is bounded by."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Sizes:
    """Of one run. Counts are per front."""

    customers: int
    """Listeners in Redis."""
    capacity_seconds: float
    """Closed loop, to find out what a front can do."""
    normal_seconds: float
    """Before an overload."""
    overload_seconds: float
    after_seconds: float
    """After an overload."""
    down_seconds: float
    """From killing Redis to starting it again."""
    pause_seconds: float
    """Redis stopped."""
    fault_seconds: float
    """Redis slow, or its connections reset."""
    calm_seconds: float
    """Before and after each fault."""
    identity_calls: int
    identity_seconds: float
    """The end of those calls if they take longer."""
    swaps: int
    swaps_before: int
    """Swaps until memory is measured the first time."""


FULL: Final = Sizes(
    customers=100_000,
    capacity_seconds=4,
    normal_seconds=8,
    overload_seconds=60,
    after_seconds=12,
    down_seconds=2,
    pause_seconds=10,
    fault_seconds=5,
    calm_seconds=4,
    identity_calls=1_000_000,
    identity_seconds=200,
    swaps=100,
    swaps_before=20,
)
"""About a quarter of an hour."""

QUICK: Final = Sizes(
    customers=100_000,
    capacity_seconds=2,
    normal_seconds=4,
    overload_seconds=20,
    after_seconds=6,
    down_seconds=1,
    pause_seconds=3,
    fault_seconds=2,
    calm_seconds=2,
    identity_calls=50_000,
    identity_seconds=15,
    swaps=25,
    swaps_before=10,
)
"""Less than three minutes."""

TINY: Final = Sizes(
    customers=1000,
    capacity_seconds=0.3,
    normal_seconds=0.3,
    overload_seconds=0.6,
    after_seconds=0.5,
    down_seconds=0.2,
    pause_seconds=0.3,
    fault_seconds=0.3,
    calm_seconds=0.2,
    identity_calls=3000,
    identity_seconds=3,
    swaps=3,
    swaps_before=2,
)
"""To see that it works at all: its figures mean nothing."""
