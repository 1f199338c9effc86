"""Producing dead letters to their topics again, and how far that closes them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Protocol

from interlude.servicekit.closed_letters import Run
from interlude.servicekit.dead_letter_reading import DeadLetter
from interlude.servicekit.errors import Unavailable
from interlude.servicekit.producing import KafkaHeaders

_FLUSH_SECONDS: Final = 60.0
_AT_ONCE: Final = 1000
"""Letters sent before Kafka's word is waited for: the queue never fills up."""


class Sender(Protocol):
    """What sends records: a `RecordProducer`."""

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: KafkaHeaders | None = None) -> bool: ...

    def flush(self, timeout_seconds: float) -> None: ...


@dataclass(eq=False)
class RoundFailed(Exception):
    """Kafka did not take all letters. None is closed; those that it took come again with the next round."""

    problem: str

    def __str__(self) -> str:
        return f"not everything was replayed, and nothing is closed: {self.problem}. Replay again"


@dataclass
class Replay:
    """What a round did."""

    replayed: int = 0
    left_out: int = 0
    foreign: int = 0
    """Of those left out: records that no service has put there."""
    closed: dict[int, list[Run]] = field(default_factory=dict)
    """By partition: the letters that were sent, as runs without one between them that was left out."""
    _broken: set[int] = field(default_factory=set)
    """Partitions in which the newest letter was left out."""

    def leave_out(self, letter: DeadLetter, *, foreign: bool) -> None:
        """Count a letter that stays open."""
        self.left_out += 1
        self.foreign += foreign
        self._broken.add(letter.place[0])

    def count(self, letter: DeadLetter) -> None:
        """Count a letter that was sent."""
        self.replayed += 1
        partition, offset = letter.place
        runs = self.closed.setdefault(partition, [])
        if partition in self._broken:
            runs.append(Run(offset, offset))
            self._broken.discard(partition)
        else:
            # All before the first letter is dealt with, and offsets between two of them hold nothing that is open.
            first = runs.pop().first if runs else 0
            runs.append(Run(first, offset))


def replay_letters(letters: Iterable[DeadLetter], topic: str, stage: str | None, sender: Sender | None) -> Replay:
    """Send each letter of `topic`, those of one stage if it is given, as it first came; without a sender only count. Raises
    `RoundFailed`; what reading raises."""
    done = Replay()
    for letter in letters:
        foreign = not letter.belongs_in(topic)
        if foreign or (stage is not None and letter.stage != stage):
            done.leave_out(letter, foreign=foreign)
            continue
        if sender is not None and not sender.send(letter.topic, letter.key, letter.value, letter.headers):
            raise RoundFailed("the queue to Kafka is full")
        done.count(letter)
        if done.replayed % _AT_ONCE == 0:
            _flush(sender)
    _flush(sender)
    return done


def _flush(sender: Sender | None) -> None:
    if sender is None:
        return
    try:
        sender.flush(_FLUSH_SECONDS)
    except Unavailable as error:
        raise RoundFailed(str(error)) from error
