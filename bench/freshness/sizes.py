"""How much and how long: everything that a run is bounded by."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Sizes:
    """Of one run."""

    customers: int
    """Listeners of each part of the run, each with as many listens as a state keeps."""
    per_second: int
    """Listens a second while freshness is measured."""
    warm_up_seconds: int
    """At that rate, before anything is measured."""
    seconds: int
    """At that rate, measured."""
    backlog: int
    """Events that are there before an enricher starts, when its throughput is measured."""
    rounds: int
    """How often one process and two take turns at the backlog."""


FULL: Final = Sizes(customers=5000, per_second=1000, warm_up_seconds=30, seconds=25, backlog=500_000, rounds=2)
"""Some six minutes on two cores. Kafka takes half a minute until it is compiled."""

QUICK: Final = Sizes(customers=500, per_second=100, warm_up_seconds=5, seconds=5, backlog=20_000, rounds=1)
"""To see that everything works: its figures mean little."""
