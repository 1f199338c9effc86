"""A topic that grows to a multiple of its partitions, without Kafka: whoever reads it, states end as if it had not grown."""

import random

from hypothesis import given
from hypothesis import strategies as st

from interlude.features.state import NO_OFFSETS, Listen, ListenerState, Stream, log_position
from interlude.servicekit.partitioning import partition_of
from services.enricher.folding import Arrival, fold_arrivals

CUSTOMERS = 12
_Log = list[list[tuple[int, Arrival]]]
"""By partition, customers and what arrived of them."""


def _history(chance: random.Random, count: int, first: int) -> list[tuple[int, Listen]]:
    return [
        (chance.randrange(CUSTOMERS), Listen(1000 * chance.randrange(50), number, chance.randrange(4), False, 0))
        for number in range(first, first + count)
    ]


def _write(log: _Log, history: list[tuple[int, Listen]], *, plain: bool = False) -> None:
    for customer_id, listen in history:
        partition = partition_of(b"%d" % customer_id, len(log))
        position = len(log[partition]) if plain else log_position(partition, len(log[partition]))
        log[partition].append((customer_id, Arrival(Stream.LISTENS, position, 0, listen)))


class Group:
    """States, and how far each partition was read."""

    def __init__(self) -> None:
        self.states = [ListenerState()] * CUSTOMERS
        self.read: dict[int, int] = {}
        self.out_of_order = 0

    def drain(self, log: _Log, chance: random.Random) -> None:
        """All that is there, the partitions by turns; some of it twice, as after crashes."""
        while unread := [number for number, records in enumerate(log) if self.read.get(number, 0) < len(records)]:
            number = chance.choice(unread)
            begin = self.read.get(number, 0)
            end = min(len(log[number]), begin + chance.randint(1, 4))
            for _ in range(chance.randint(1, 2)):
                self.fold(log[number][begin:end])
            self.read[number] = end

    def fold(self, records: list[tuple[int, Arrival]]) -> None:
        for customer_id, arrival in records:
            folded = fold_arrivals(self.states[customer_id], [arrival])
            self.states[customer_id] = folded.state
            self.out_of_order += folded.out_of_order

    def contents(self) -> list[ListenerState]:
        return [state._replace(offsets=NO_OFFSETS) for state in self.states]


def _grown(chance: random.Random, partitions: int, factor: int, *, plain: bool = False) -> tuple[Group, _Log]:
    log: _Log = [[] for _ in range(partitions)]
    _write(log, _history(chance, 60, 0), plain=plain)
    group = Group()
    group.drain(log, chance)
    log += [[] for _ in range(partitions * (factor - 1))]
    _write(log, _history(chance, 60, 60), plain=plain)
    group.drain(log, chance)
    return group, log


def _all(seed: int) -> list[ListenerState]:
    """The same events on a topic of one partition."""
    chance = random.Random(seed)
    log: _Log = [[]]
    _write(log, _events_of(seed))
    group = Group()
    group.drain(log, chance)
    return group.contents()


def _events_of(seed: int) -> list[tuple[int, Listen]]:
    _, log = _grown(random.Random(seed), 3, 2)
    records = [record for partition in log for record in partition]
    return [(customer_id, arrival.event) for customer_id, arrival in records if isinstance(arrival.event, Listen)]


@given(st.integers(0, 2**32))
def test_a_drained_topic_that_grows_loses_nothing_and_applies_nothing_twice(seed: int) -> None:
    group, _ = _grown(random.Random(seed), 3, 2)
    assert group.contents() == _all(seed)
    assert group.out_of_order == 0


@given(st.integers(0, 2**32), st.integers(2, 4))
def test_a_rebuild_that_reads_lower_partitions_first_ends_in_the_same_states(seed: int, factor: int) -> None:
    group, log = _grown(random.Random(seed), 2, factor)
    again = Group()
    for partition in log:
        again.fold(partition)
    assert again.states == group.states
    assert again.out_of_order == 0


def test_offsets_alone_would_lose_events() -> None:
    lost = 0
    for seed in range(10):
        group, _ = _grown(random.Random(seed), 3, 2, plain=True)
        lost += group.contents() != _all(seed)
    assert lost == 10
