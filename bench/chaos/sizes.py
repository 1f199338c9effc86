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
    overload_share: float
    """Of the capacity that was found."""
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


@dataclass(frozen=True, slots=True)
class EnricherSizes:
    """Of what is done to enrichers."""

    customers: int
    partitions: int
    events: int
    """Folded while members are killed."""
    kills: int
    leave_every: int
    """Kills between two members that leave (SIGTERM) for others to join."""
    hang_every: int
    """Kills between two members that hang (SIGSTOP) until others have their partitions, and then go on."""
    events_per_second: float
    """While Redis and Kafka break."""
    burst_events: int
    """Besides, at the beginning of each outage."""
    redis_stop_seconds: float
    kafka_stop_seconds: float
    down_seconds: float
    """From a kill of Redis or Kafka to their start."""
    calm_seconds: float
    """Before and after each outage."""


ENRICHER_FULL: Final = EnricherSizes(
    customers=3000,
    partitions=6,
    events=200_000,
    kills=50,
    leave_every=5,
    hang_every=10,
    events_per_second=1000,
    burst_events=50_000,
    redis_stop_seconds=20,
    kafka_stop_seconds=15,
    down_seconds=2,
    calm_seconds=4,
)
"""About ten minutes."""

ENRICHER_QUICK: Final = EnricherSizes(
    customers=1000,
    partitions=6,
    events=40_000,
    kills=10,
    leave_every=3,
    hang_every=5,
    events_per_second=1000,
    burst_events=20_000,
    redis_stop_seconds=5,
    kafka_stop_seconds=4,
    down_seconds=1,
    calm_seconds=2,
)
"""About two minutes."""

ENRICHER_TINY: Final = EnricherSizes(
    customers=200,
    partitions=4,
    events=8000,
    kills=3,
    leave_every=2,
    hang_every=3,
    events_per_second=400,
    burst_events=4000,
    redis_stop_seconds=2,
    kafka_stop_seconds=2,
    down_seconds=0.2,
    calm_seconds=0.5,
)
"""To see that it works at all."""

FULL: Final = Sizes(
    customers=100_000,
    capacity_seconds=4,
    normal_seconds=8,
    overload_share=2,
    overload_seconds=60,
    after_seconds=12,
    down_seconds=2,
    pause_seconds=10,
    fault_seconds=5,
    calm_seconds=4,
    identity_calls=1_000_000,
    identity_seconds=420,
    swaps=100,
    swaps_before=20,
)
"""About twenty minutes."""

QUICK: Final = Sizes(
    customers=100_000,
    capacity_seconds=2,
    normal_seconds=4,
    overload_share=2,
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
    overload_share=4,  # too much, whatever a hiccup of 0.1 s made of the capacity
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
