"""What one batch does to one listener: pure."""

from collections.abc import Sequence
from typing import NamedTuple

from interlude.features.fold import Outcome, advance, fold
from interlude.features.interest import Interest, interests_found
from interlude.features.state import Event, Listen, ListenerState, Stream


class Arrival(NamedTuple):
    """One event as it arrived. `arrived_ms` is its record's timestamp, epoch ms; `partition` is counted by, no more."""

    stream: Stream
    offset: int
    arrived_ms: int
    event: Event
    partition: int = 0


class FoldedArrivals(NamedTuple):
    """A listener after a batch: the new state, the interests found, and per arrival whether it was applied."""

    state: ListenerState
    interests: list[Interest]
    applied: list[bool]


def fold_arrivals(state: ListenerState, arrivals: Sequence[Arrival]) -> FoldedArrivals:
    """`state` with `arrivals`, in their order. What the state's offsets say it includes already is not applied again."""
    interests: list[Interest] = []
    applied = []
    for stream, offset, _, event, _ in arrivals:
        if offset <= state.offsets[stream]:
            applied.append(False)
            continue
        state, outcome = fold(state, event)
        if outcome is Outcome.TAKEN and isinstance(event, Listen):
            interests += interests_found(state.listens, event)
        state = advance(state, stream, offset)
        applied.append(outcome is not Outcome.DUPLICATE)
    return FoldedArrivals(state, interests, applied)
