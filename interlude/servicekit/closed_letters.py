"""Which records of a partition are dealt with: all before an offset, and runs of others behind it. Pure.

A consumer group commits one offset a partition, and with it a note of some thousand characters: that is where the runs stand.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

NOTE_LIMIT: Final = 4000
"""Kafka takes notes of 4,096 bytes unless a broker says otherwise (`offset.metadata.max.bytes`)."""
_WORD: Final = "replayed"


class Run(NamedTuple):
    """Offsets from `first` to `last`, both included."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class ClosedLetters:
    """Of one partition: everything before `offset`, and `runs`, in their order, none of which touches another."""

    offset: int = 0
    runs: tuple[Run, ...] = ()

    def __contains__(self, offset: int) -> bool:
        return offset < self.offset or any(first <= offset <= last for first, last in self.runs)

    def count_since(self, begin: int) -> int:
        """How many offsets are dealt with of those from `begin` on."""
        return max(0, self.offset - begin) + sum(last - first + 1 for first, last in self.runs)

    def with_runs(self, runs: Iterable[Run]) -> "ClosedLetters":
        """These as well."""
        offset = self.offset
        kept: list[Run] = []
        for first, last in sorted((*self.runs, *runs)):
            if first <= offset:
                offset = max(offset, last + 1)
            elif kept and first <= kept[-1].last + 1:
                kept[-1] = Run(kept[-1].first, max(kept[-1].last, last))
            else:
                kept.append(Run(first, last))
        return ClosedLetters(offset, tuple(kept))

    def fitting(self, limit: int = NOTE_LIMIT) -> "ClosedLetters":
        """Without the last runs, where the note would be longer than `limit`."""
        kept = list(self.runs)
        while len(to_note(kept)) > limit:
            kept.pop()
        return ClosedLetters(self.offset, tuple(kept))


def to_note(runs: Iterable[Run]) -> str:
    """The note of the runs; empty without any."""
    numbers = [f"{first}-{last}" for first, last in runs]
    return " ".join([_WORD, *numbers]) if numbers else ""


def from_note(offset: int, note: str) -> ClosedLetters:
    """What was noted at `offset`; a note of somebody else says nothing."""
    word, _, numbers = note.partition(" ")
    if word != _WORD:
        return ClosedLetters(offset)
    try:
        runs = [Run(*map(int, each.split("-", 1))) for each in numbers.split()]
    except (TypeError, ValueError):
        return ClosedLetters(offset)
    return ClosedLetters(offset).with_runs(runs)
