"""What one batch does to one listener: pure."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from interlude.features.fold import Outcome, advance_all, fold
from interlude.features.interest import Interest, interests_found
from interlude.features.state import Event, Listen, ListenerState, Stream, partition_at

_TAKEN: Final = Outcome.TAKEN
_DUPLICATE: Final = Outcome.DUPLICATE


class Arrival(NamedTuple):
    """One event as it arrived. `position` is its record's `log_position`, `arrived_ms` its timestamp, epoch ms."""

    stream: Stream
    position: int
    arrived_ms: int
    event: Event


class FoldedArrivals(NamedTuple):
    """A listener after a batch: the new state, the interests found, and per arrival whether it was applied.

    `out_of_order` arrivals were not, because they came from a partition that the customer left when the topic grew, after some
    from the new one: whether they are repetitions cannot be told.
    """

    state: ListenerState
    interests: list[Interest]
    applied: list[bool]
    out_of_order: int = 0


def fold_arrivals(state: ListenerState, arrivals: Sequence[Arrival]) -> FoldedArrivals:
    """`state` with `arrivals`, in their order. What the state's positions say it includes already is not applied again."""
    interests: list[Interest] = []
    applied = []
    out_of_order = 0
    offsets = list(state.offsets)
    for stream, position, _, event in arrivals:
        if position <= offsets[stream]:
            applied.append(False)
            out_of_order += partition_at(position) < partition_at(offsets[stream])
            continue
        state, outcome = fold(state, event)
        if outcome is _TAKEN and isinstance(event, Listen):
            interests += interests_found(state.listens, event)
        offsets[stream] = position
        applied.append(outcome is not _DUPLICATE)
    return FoldedArrivals(advance_all(state, tuple(offsets)), interests, applied, out_of_order)
