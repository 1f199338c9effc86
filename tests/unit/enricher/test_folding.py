"""What a batch does to one listener: however the log is cut and repeated, the same bytes."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from interlude.features.codec import encode_hot, encode_state
from interlude.features.state import (
    Erasure,
    Event,
    Listen,
    ListenerState,
    Profile,
    ProfileDeleted,
    Stream,
    log_position,
)
from interlude.servicekit.partitioning import partition_of
from services.enricher.folding import Arrival, fold_arrivals
from tests.unit.features.histories import fold_all, histories, listen_events, long_history, profiles, seeds


def _stream_of(event: Event) -> Stream:
    if isinstance(event, Profile | ProfileDeleted | Erasure):
        return Stream.CUSTOMERS
    return Stream.AD_EVENTS if hasattr(event, "kind") else Stream.LISTENS


def _arrive(events: list[Event]) -> list[Arrival]:
    """The events as one partition would give them: offsets rise, with gaps, in each stream."""
    return [Arrival(_stream_of(event), 3 * place, 0, event) for place, event in enumerate(events)]


def _bytes(state: ListenerState) -> tuple[bytes, bytes]:
    return encode_state(state), encode_hot(state)


def _fold_with_crashes(arrivals: list[Arrival], chance: random.Random) -> ListenerState:
    """Batches of any size; after some of them the reader starts again from somewhere before."""
    state, place = ListenerState(), 0
    while place < len(arrivals):
        end = place + chance.randint(1, 5)
        state = fold_arrivals(state, arrivals[place:end]).state
        place = chance.randint(max(0, end - 9), end) if chance.random() < 0.3 else end
    return state


logs = st.one_of(
    histories,
    st.lists(st.one_of(listen_events, profiles, st.just(ProfileDeleted())), max_size=12),
)


@given(logs, seeds)
def test_batches_crashes_and_repetition_give_the_bytes_of_one_by_one(events: list[Event], seed: int) -> None:
    arrivals = _arrive(events)
    state = ListenerState()
    for arrival in arrivals:
        state = fold_arrivals(state, [arrival]).state
    assert _bytes(_fold_with_crashes(arrivals, random.Random(seed))) == _bytes(state)
    assert _bytes(fold_arrivals(ListenerState(), arrivals).state) == _bytes(state)


@settings(max_examples=10)
@given(seeds)
def test_more_than_is_kept_gives_the_same_bytes_too(seed: int) -> None:
    arrivals = _arrive(long_history(seed, 120))
    at_once = fold_arrivals(ListenerState(), arrivals).state
    assert _bytes(_fold_with_crashes(arrivals, random.Random(seed))) == _bytes(at_once)


@given(histories)
def test_the_state_is_the_fold_of_its_events_and_the_last_offsets(events: list[Event]) -> None:
    arrivals = _arrive(events)
    state = fold_arrivals(ListenerState(), arrivals).state
    last = {arrival.stream: arrival.position for arrival in arrivals}
    assert state.offsets == tuple(last.get(stream, -1) for stream in Stream)
    assert state._replace(offsets=ListenerState().offsets) == fold_all(events)


def test_what_the_offsets_include_is_not_applied_again() -> None:
    events = long_history(seed=1, size=9)
    state = fold_arrivals(ListenerState(), _arrive(events)).state
    again = fold_arrivals(state, _arrive(events))
    assert again.state is state
    assert again.interests == []
    assert again.applied == [False] * len(events)


def test_a_customer_who_goes_to_another_partition_when_a_topic_grows_is_folded_on() -> None:
    first, second, third = (Listen(1000 + number, number, 7, False, 0) for number in range(3))
    before = [
        Arrival(Stream.LISTENS, log_position(1, offset), 0, event) for offset, event in ((900, first), (950, second))
    ]
    after = [Arrival(Stream.LISTENS, log_position(5, 3), 0, third)]
    state = fold_arrivals(fold_arrivals(ListenerState(), before).state, after).state
    assert len(state.listens.marks) == 3
    repeated = fold_arrivals(state, before + after)
    assert repeated.state == state
    assert repeated.applied == [False, False, False]
    assert repeated.out_of_order == 2


def test_an_event_of_the_old_partition_after_one_of_the_new_is_counted_and_not_applied() -> None:
    new, late = Listen(2000, 1, 7, False, 0), Listen(1000, 2, 7, False, 0)
    state = fold_arrivals(ListenerState(), [Arrival(Stream.LISTENS, log_position(5, 0), 0, new)]).state
    folded = fold_arrivals(state, [Arrival(Stream.LISTENS, log_position(1, 951), 0, late)])
    assert folded.state == state
    assert (folded.applied, folded.out_of_order) == ([False], 1)


@given(st.integers(0, 2**31 - 1), st.integers(1, 64), st.lists(st.integers(2, 4), min_size=1, max_size=3))
def test_partitions_of_a_key_never_fall_while_topics_grow_to_multiples(
    customer_id: int, partitions: int, factors: list[int]
) -> None:
    places = [partition_of(b"%d" % customer_id, partitions)]
    for factor in factors:
        partitions *= factor
        places.append(partition_of(b"%d" % customer_id, partitions))
    assert places == sorted(places)
