"""When topics may grow, and the sentence when they may not."""

import re
import threading
from collections.abc import Callable, Mapping, Sequence

import pytest

from interlude.servicekit.records import Place
from services.enricher.growing import GrowRefused, Growth, grow

READ = ("listens", "customers")


class FakeTopics:
    """Topics in memory. `meanwhile` happens between two looks at their ends."""

    def __init__(
        self, counts: dict[str, int], meanwhile: Callable[[dict[Place, int]], None] = lambda _ends: None
    ) -> None:
        self.known = counts
        self.written = {Place(topic, number): 10 for topic, count in counts.items() for number in range(count)}
        self.handled = dict(self.written)
        self._meanwhile = meanwhile

    def counts(self) -> dict[str, int]:
        return dict(self.known)

    def ends(self) -> dict[Place, int]:
        ends = dict(self.written)
        self._meanwhile(self.written)
        return ends

    def committed(self, places: Sequence[Place]) -> dict[Place, int]:
        return {place: self.handled[place] for place in places}

    def grow(self, counts: Mapping[str, int], partitions: int) -> None:
        self.known = dict.fromkeys(counts, partitions)


def _grow(topics: FakeTopics, partitions: int) -> Growth:
    return grow(topics, READ, partitions, 0, threading.Event())


def test_topics_that_nobody_writes_to_and_that_are_read_to_the_end_grow_together() -> None:
    topics = FakeTopics({"listens": 4, "customers": 4, "decisions": 4})
    assert _grow(topics, 8) == Growth({"listens": 4, "customers": 4, "decisions": 4}, 8)
    assert topics.known == {"listens": 8, "customers": 8, "decisions": 8}


def test_an_attempt_that_ended_half_way_is_finished() -> None:
    topics = FakeTopics({"listens": 8, "customers": 4})
    _grow(topics, 8)
    assert topics.known == {"listens": 8, "customers": 8}


def test_what_only_others_read_may_lag_behind() -> None:
    topics = FakeTopics({"listens": 4, "customers": 4, "decisions": 4})
    topics.handled[Place("decisions", 1)] = 0
    assert _grow(topics, 8).partitions == 8


@pytest.mark.parametrize(
    ("counts", "partitions", "sentence"),
    [
        ({"listens": 4, "customers": 4}, 6, "6 is not a multiple of 4"),
        ({"listens": 4, "customers": 4}, 2, "2 is not a multiple of 4"),
        ({"listens": 4, "customers": 4}, 4, "all topics have 4 partitions already"),
        (
            {"listens": 4, "customers": 3},
            12,
            "these topics must have equal numbers of partitions: customers 3, listens 4",
        ),
        ({"listens": 4, "customers": 0}, 8, "there is no topic customers"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(counts: dict[str, int], partitions: int, sentence: str) -> None:
    topics = FakeTopics(counts)
    with pytest.raises(GrowRefused, match=f"^{re.escape(sentence)}"):
        _grow(topics, partitions)
    assert topics.known == counts


def test_while_somebody_writes_nothing_grows() -> None:
    def write(ends: dict[Place, int]) -> None:
        ends[Place("decisions", 2)] += 1

    topics = FakeTopics({"listens": 4, "customers": 4, "decisions": 4}, write)
    with pytest.raises(GrowRefused, match=r"^somebody still writes to decisions: stop all producers first$"):
        _grow(topics, 8)
    assert topics.known["listens"] == 4


def test_before_all_is_folded_nothing_grows() -> None:
    topics = FakeTopics({"listens": 4, "customers": 4})
    topics.handled[Place("customers", 3)] = 7
    with pytest.raises(GrowRefused, match=r"^the enrichers are 3 records behind: let them catch up first$"):
        _grow(topics, 8)
    assert topics.known["listens"] == 4
