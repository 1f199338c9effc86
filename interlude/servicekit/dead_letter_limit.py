"""How much may be put aside before somebody has to look: a sender that writes nonsense must not empty a topic into dead letters."""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from re import compile as pattern
from typing import Final, NamedTuple

from confluent_kafka import Message

from interlude.servicekit.errors import Unavailable

_DIGITS: Final = pattern(r"\d+")


class TooManyDeadLetters(Unavailable):
    """A batch that would bring a topic over its limit. None of it is taken, nothing of it is put aside: it waits."""


class TopicTally(NamedTuple):
    """A batch's records of one topic, and what was wrong with those that cannot be taken."""

    records: int
    problems: "Counter[str]"


Tally = Mapping[str, TopicTally]
"""A batch by topic."""


class DeadLetterLimit:
    """The share of a topic's records that may be dead letters, over its last `window_records` (in whole batches).

    It is looked at from `minimum_records` on: one bad record among three is no flood. A share of 1 is never exceeded. What was
    seen is forgotten when the process ends.
    """

    def __init__(
        self,
        share: float,
        *,
        window_records: int,
        minimum_records: int,
        on_stopped: Callable[[str, bool], None] = lambda _topic, _stopped: None,
    ) -> None:
        """`on_stopped(topic, stopped)` is called when a topic exceeds its limit, and when it no longer does."""
        self._share = share
        self._minimum_records = minimum_records
        self._window_records = window_records
        self._on_stopped = on_stopped
        self._windows: dict[str, _Window] = {}
        self._stopped = ""

    def check(self, taken: Mapping[str, int], rejected: Iterable[tuple[Message, Exception]]) -> Tally:
        """A batch of `taken` records by topic, of which those in `rejected` cannot be taken: what `add` counts once it is dealt
        with. Raises `TooManyDeadLetters` where it exceeds the limit."""
        tally = _tally(taken, rejected)
        for topic, batch in tally.items():
            if not batch.problems:
                continue  # the usual batch: nothing is counted that cannot matter
            window = self._window(topic)
            records, dead = window.records + batch.records, window.problems + batch.problems
            if records >= self._minimum_records and dead.total() > self._share * records:
                self._note_stopped(topic)
                raise TooManyDeadLetters(self._sentence(topic, records, dead))
        self._note_stopped("")
        return tally

    def add(self, tally: Tally) -> None:
        """Counts a batch that is dealt with."""
        for topic, batch in tally.items():
            self._window(topic).add(batch)

    def _window(self, topic: str) -> "_Window":
        window = self._windows.get(topic)
        if window is None:
            window = self._windows[topic] = _Window(self._window_records)
        return window

    def _note_stopped(self, topic: str) -> None:
        """Remembers which topic stops the service, none if empty."""
        if topic == self._stopped:
            return
        if self._stopped:
            self._on_stopped(self._stopped, False)
        if topic:
            self._on_stopped(topic, True)
        self._stopped = topic

    def _sentence(self, topic: str, records: int, problems: "Counter[str]") -> str:
        [(commonest, times)] = problems.most_common(1)
        dead = problems.total()
        return (
            f"an end to dead letters: {dead:,} of the last {records:,} records of {topic} ({dead / records:.0%}) cannot be "
            f"taken, the limit is {self._share:.0%}; commonest: {commonest} ({times:,})"
        )


class _Window:
    """The newest batches of a topic, as few of them as hold the records wanted."""

    def __init__(self, wanted_records: int) -> None:
        self._wanted_records = wanted_records
        self._batches: deque[TopicTally] = deque()
        self.records = 0
        self.problems: Counter[str] = Counter()

    def add(self, batch: TopicTally) -> None:
        self._batches.append(batch)
        self.records += batch.records
        if batch.problems:
            self.problems += batch.problems
        while self.records - self._batches[0].records >= self._wanted_records:
            oldest = self._batches.popleft()
            self.records -= oldest.records
            if oldest.problems:
                self.problems -= oldest.problems


def _tally(taken: Mapping[str, int], rejected: Iterable[tuple[Message, Exception]]) -> Tally:
    tally = {topic: TopicTally(records, Counter()) for topic, records in taken.items()}
    for record, reason in rejected:
        # Problems that differ in their numbers alone are of one kind.
        tally[record.topic() or ""].problems[_DIGITS.sub("#", str(reason))] += 1
    return tally
