"""Producing dead letters to their topics again, and how far that closes them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Protocol

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
    still_listed: int = 0
    """Of the replayed: those behind one that was left out. An offset closes all that is before it, or nothing."""
    closed: dict[int, int] = field(default_factory=dict)
    """By partition: the first offset that stays open."""
    _held: set[int] = field(default_factory=set)

    def leave_out(self, letter: DeadLetter, *, foreign: bool) -> None:
        """Count a letter that stays open; no later one of its partition can be closed."""
        self.left_out += 1
        self.foreign += foreign
        self._held.add(letter.place[0])

    def count(self, letter: DeadLetter) -> None:
        """Count a letter that was sent."""
        self.replayed += 1
        partition, offset = letter.place
        if partition in self._held:
            self.still_listed += 1
        else:
            self.closed[partition] = offset + 1


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
