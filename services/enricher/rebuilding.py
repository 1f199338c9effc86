"""Makes the next generation from the log, beside the enrichers that keep the one in use current, and brings it into use.

It never reads beyond what the enrichers' group has committed. What lies further on was perhaps not published yet (interests,
dead letters): a rebuild publishes nothing, and the enrichers only go back, never forward, when they take the new generation up.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Final

import redis
import structlog
from confluent_kafka import Message

from interlude.events.errors import InvalidEvent
from interlude.servicekit.bounded_reading import BoundedReader
from interlude.servicekit.dead_letter_limit import DeadLetterLimit
from interlude.servicekit.errors import Unavailable
from interlude.servicekit.group_offsets import GroupOffsets
from interlude.servicekit.records import Place
from services.enricher.claim import Claim
from services.enricher.folding import FoldedArrivals
from services.enricher.handler import EnricherHandler, States
from services.enricher.metrics import EnricherMetrics
from services.enricher.sweeping import sweep
from services.enricher.verifying import Comparison, compare

RECORDS_AT_ONCE: Final = 5000
_READ_SECONDS: Final = 0.2
_BOUNDS_SECONDS: Final = 1.0
"""How old the bounds may be at the switch: what the group commits meanwhile is applied again by the enrichers."""
_PROGRESS_SECONDS: Final = 5.0
_RETRY_SECONDS: Final = 0.5
_SILENCE_SECONDS: Final = 30.0
"""Kafka that gives nothing for so long, although there is more, does not answer."""
ADOPTION_SECONDS: Final = 30.0

log = structlog.get_logger()


class RebuildFailed(Exception):
    """Nothing was switched; the sentence says why."""


@dataclass(slots=True)
class Summary:
    """What a rebuild did; printed as JSON."""

    switched: bool = False
    generation: int = 0
    replaced: int = 0
    events: int = 0
    """Records read."""
    dead_letters: int = 0
    """Records that cannot be taken: counted, they are in their topics already."""
    interests: int = 0
    """Interests found: counted, they are in their topic already."""
    customers: int = 0
    seconds: float = 0.0
    partitions: dict[str, int] = field(default_factory=dict)
    """Where the enrichers go on: by partition the offset before which all is included."""
    cut: dict[str, int] = field(default_factory=dict)
    """Partitions of which Kafka no longer has the beginning, and the offset of what it has."""
    verified: Comparison | None = None
    adopted: bool = False
    """Whether every enricher of the group was seen to go on in the new generation."""
    keys_removed: int = 0

    def as_json(self) -> dict[str, object]:
        """For `json.dumps`."""
        return asdict(self)


class CountingOutbox:
    """Tells nobody anything: all of it was told when it was first read."""

    def __init__(self, summary: Summary) -> None:
        self._summary = summary

    def put_dead_letter(self, _record: Message, _reason: InvalidEvent) -> None:
        """Count it."""
        self._summary.dead_letters += 1

    def put_interests(self, _customer_id: int, folded: FoldedArrivals) -> None:
        """Count them."""
        self._summary.interests += len(folded.interests)

    def flush(self) -> None:
        """Nothing to wait for."""


class Rebuild:
    """One rebuild under a held claim. Raises `Unavailable`, `AnotherRebuild`, `RebuildFailed`."""

    def __init__(
        self,
        client: "redis.Redis",
        states: States,
        group: GroupOffsets,
        claim: Claim,
        reader: BoundedReader,
        stop: threading.Event,
    ) -> None:
        """`states` are those of the claim's generation."""
        self._client = client
        self._group = group
        self._claim = claim
        self._reader = reader
        self._stop = stop
        self._places: Sequence[Place] = sorted(reader.begins)
        self._told_seconds = time.monotonic()
        self._events_told = 0
        self._seen: dict[Place, int] = {}
        self.summary: Final = Summary(generation=claim.number, replaced=claim.replaced.number)
        self._handler = EnricherHandler(
            states,
            CountingOutbox(self.summary),
            EnricherMetrics(),
            # What cannot be taken was dealt with when it was first read.
            DeadLetterLimit(1.0, window_records=RECORDS_AT_ONCE, minimum_records=RECORDS_AT_ONCE),
            now_ms=lambda: time.time_ns() // 1_000_000,
        )

    def run(self, *, verify: bool) -> None:
        """1. remove what an earlier rebuild left half made; 2. fold the log up to where the group is; 3. compare, where asked to;
        4. switch; 5. wait for the enrichers; 6. remove the generation that was in use."""
        began_seconds = time.monotonic()
        self.summary.cut = _by_name({place: begin for place, begin in self._reader.begins.items() if begin > 0})
        self.summary.keys_removed = sweep(self._client, {self._claim.replaced.number}, self._claim.keep).removed
        self._fold_past()
        self._catch_up()
        if verify:
            self._verify()
            self._catch_up()
        ends = self._reader.ends
        self._claim.switch(ends)
        self.summary.switched, self.summary.partitions = True, _by_name(ends)
        self.summary.seconds = round(time.monotonic() - began_seconds, 3)
        log.info("switched", generation=self._claim.number, events=self.summary.events)
        self.summary.adopted = self._await_adoption()
        swept = sweep(self._client, {self._claim.number}, self._keep_in_use)
        self.summary.keys_removed += swept.removed
        self.summary.customers = swept.states

    def _catch_up(self) -> None:
        """Fold until all is included that the group had committed a moment ago."""
        while True:
            bounds_seconds = time.monotonic()
            self._reader.extend(self._committed())
            self._fold_up_to_bounds()
            if time.monotonic() - bounds_seconds < _BOUNDS_SECONDS:
                return

    def _fold_past(self) -> None:
        """Fold what the group has committed, lower partitions first: where topics have grown, customers went to higher ones, and
        what is in the lower ones was before."""
        committed = self._committed()
        for number in sorted({place.partition for place in self._places}):
            self._reader.extend({place: end for place, end in committed.items() if place.partition == number})
            self._fold_up_to_bounds()

    def _committed(self) -> dict[Place, int]:
        self._seen = {place: each.offset for place, each in self._group.committed(self._places).items()}
        return self._seen

    def _fold_up_to_bounds(self) -> None:
        heard_seconds = time.monotonic()
        while self._reader.remaining:
            self._go_on()
            records = self._reader.read(RECORDS_AT_ONCE, _READ_SECONDS)
            if records:
                self._handle(records)
                heard_seconds = time.monotonic()
            elif time.monotonic() - heard_seconds > _SILENCE_SECONDS:
                raise Unavailable(f"Kafka has given nothing for {_SILENCE_SECONDS:.0f} s")

    def _handle(self, records: Sequence[Message]) -> None:
        while True:
            try:
                self._handler.handle(records)
            except Unavailable as reason:
                log.warning("waiting", reason=str(reason))
                self._stop.wait(_RETRY_SECONDS)
                self._go_on()
            else:
                self.summary.events += len(records)
                return

    def _go_on(self) -> None:
        """Between two steps: stop if told to, hold the claim, say how far it is."""
        if self._stop.is_set():
            raise RebuildFailed("stopped before the end; nothing was switched")
        self._claim.keep()
        seconds = time.monotonic() - self._told_seconds
        if seconds >= _PROGRESS_SECONDS:
            rate = round((self.summary.events - self._events_told) / seconds)
            self._told_seconds += seconds
            self._events_told = self.summary.events
            log.info("rebuilding", events=self._events_told, events_per_second=rate, remaining=self._remaining())

    def _remaining(self) -> int:
        """Records up to where the group was when the log was last looked at."""
        ends = self._reader.ends
        return sum(max(0, end - ends[place]) for place, end in self._seen.items())

    def _verify(self) -> None:
        if self._claim.replaced.schema not in ("", self._claim.generation.schema):
            raise RebuildFailed("the generation in use is of another schema: there is nothing to compare with")
        found = compare(self._client, self._claim.replaced.number, self._claim.number, self._go_on)
        self.summary.verified = found
        if found.different:
            raise RebuildFailed(f"{found.different} states differ from those in use; nothing was switched")

    def _await_adoption(self) -> bool:
        """Whether every partition was committed in the new generation within `ADOPTION_SECONDS`. Without members none will be:
        those that start later know by what is committed."""
        deadline_seconds = time.monotonic() + ADOPTION_SECONDS
        while time.monotonic() < deadline_seconds and not self._stop.is_set():
            self._claim.keep()
            committed = self._group.committed(self._places)
            identities = {each.metadata for each in committed.values()}
            if len(committed) == len(self._places) and identities == {self._claim.generation.identity}:
                return True
            if not self._group.has_members():
                return False
            self._stop.wait(_RETRY_SECONDS)
        return False

    def _keep_in_use(self) -> None:
        """Before each removal: what is removed must not be in use again."""
        self._claim.keep()
        if not self._claim.in_use():
            raise RebuildFailed("the switch is gone from Redis (a failover?); the old generation was left as it is")


def _by_name(offsets: Mapping[Place, int]) -> dict[str, int]:
    return {f"{place.topic}/{place.partition}": offset for place, offset in sorted(offsets.items())}
