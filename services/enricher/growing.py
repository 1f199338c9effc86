"""`python -m services.enricher.grow N`: more partitions, without an event lost or counted twice.

A customer's partition is its key's hash modulo their number. Where that number grows to a multiple of itself, the customer stays
or goes to a partition of a *higher* number; so (partition, offset) of a customer's events only ever rises, and that pair is
what a state remembers (`interlude.features.state.log_position`). Two things have to be seen to: nobody writes while the number
changes, so that no event gets into the old partition after one in the new; and what is in the old ones is folded before.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from interlude.servicekit.records import Place


class GrowRefused(Exception):
    """Nothing was changed, and the sentence says why."""


class Topics(Protocol):
    """The topics as they are, and how far the enrichers have read them: a `TopicGrowth`."""

    def counts(self) -> dict[str, int]: ...

    def ends(self) -> dict[Place, int]: ...

    def committed(self, places: Sequence[Place]) -> dict[Place, int]: ...

    def grow(self, counts: Mapping[str, int], partitions: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Growth:
    """What was done; printed as JSON."""

    topics: Mapping[str, int]
    """Partitions before."""
    partitions: int
    """Partitions now."""


def grow(topics: Topics, read: Sequence[str], partitions: int, quiet_seconds: float, stop: threading.Event) -> Growth:
    """1. check that all topics can grow to `partitions`; 2. that for `quiet_seconds` nobody writes and the group has committed
    all of `read`; 3. grow them. Topics that an earlier attempt has grown already are left. Raises `GrowRefused`, `Unavailable`."""
    counts = topics.counts()
    _check_counts(counts, partitions)
    before = topics.ends()
    stop.wait(quiet_seconds)
    after = topics.ends()
    if grown := sorted({place.topic for place, end in after.items() if before.get(place) != end}):
        raise GrowRefused(f"somebody still writes to {', '.join(grown)}: stop all producers first")
    places = [place for place in sorted(after) if place.topic in read]
    committed = topics.committed(places)
    if behind := sum(after[place] - committed[place] for place in places):
        raise GrowRefused(f"the enrichers are {behind} records behind: let them catch up first")
    topics.grow(counts, partitions)
    return Growth(counts, partitions)


def _check_counts(counts: Mapping[str, int], partitions: int) -> None:
    if missing := sorted(topic for topic, count in counts.items() if count == 0):
        raise GrowRefused(f"there is no topic {', '.join(missing)}")
    smaller = set(counts.values()) - {partitions}
    if not smaller:
        raise GrowRefused(f"all topics have {partitions} partitions already")
    if len(smaller) > 1:
        described = ", ".join(f"{topic} {count}" for topic, count in sorted(counts.items()))
        raise GrowRefused(f"these topics must have equal numbers of partitions: {described}")
    [count] = smaller
    if partitions % count or partitions < count:
        raise GrowRefused(
            f"{partitions} is not a multiple of {count}: a customer could go to a partition of a lower number, "
            "whose events would count as old"
        )
