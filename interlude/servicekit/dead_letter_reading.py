"""Dead letters read back by tools: what lies there, why, and what of it has been replayed.

Kafka keeps what was replayed. The consumer group `interlude-dlq` has committed which that is: letters before its offset are dealt
with, and those behind it that its note names; the others are open.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from confluent_kafka import Message

from interlude.servicekit.closed_letters import ClosedLetters, Run, from_note, to_note
from interlude.servicekit.dead_letters import TOPIC_ENDING
from interlude.servicekit.producing import KafkaHeaders
from interlude.servicekit.topic_reading import Position, commit, positions, read_topic, topics_in

READER_GROUP: Final = "interlude-dlq"
_PROVENANCE: Final = ("dlq_topic", "dlq_partition", "dlq_offset", "dlq_group", "dlq_stage", "dlq_error")


class DeadLetter(NamedTuple):
    """A record that could not be taken. `place` is its partition and offset among the dead letters; the other fields say what
    `DeadLetters` wrote, empty where the record is none of its own."""

    place: tuple[int, int]
    topic: str
    partition: str
    offset: str
    group: str
    stage: str
    error: str
    key: bytes | None
    value: bytes | None
    headers: KafkaHeaders
    """Those that the record came with."""

    def belongs_in(self, topic: str) -> bool:
        """Whether a service has put it there: only then does it say where it is to go."""
        return f"{self.topic}.{self.group}{TOPIC_ENDING}" == topic


def dead_letter_topics(bootstrap: str) -> list[str]:
    """Every topic of dead letters. Raises `Unavailable`."""
    return [topic for topic in topics_in(bootstrap) if topic.endswith(TOPIC_ENDING)]


def open_letters(bootstrap: str, topic: str) -> Iterator[DeadLetter]:
    """The letters of `topic` that nobody has dealt with. Raises `Unavailable`."""
    closed = {number: _closed(position) for number, position in positions(bootstrap, topic, READER_GROUP).items()}
    letters = map(to_letter, read_topic(bootstrap, topic, unread_by=READER_GROUP))
    return (letter for letter in letters if letter.place[1] not in closed[letter.place[0]])


def count_done(bootstrap: str, topic: str) -> int:
    """Of the letters that Kafka still has, those that are dealt with. Raises `Unavailable`."""
    return sum(_closed(each).count_since(each.low) for each in positions(bootstrap, topic, READER_GROUP).values())


def mark_as_done(bootstrap: str, topic: str, runs: Mapping[int, Iterable[Run]]) -> int:
    """Closes the letters of these runs of each partition; how many there was no room to note. Raises `Unavailable`."""
    before = positions(bootstrap, topic, READER_GROUP)
    wanted = {number: _closed(before[number]).with_runs(of_partition) for number, of_partition in runs.items()}
    noted = {number: closed.fitting() for number, closed in wanted.items()}
    commit(
        bootstrap,
        topic,
        READER_GROUP,
        {number: (closed.offset, to_note(closed.runs)) for number, closed in noted.items()},
    )
    return sum(wanted[number].count_since(0) - closed.count_since(0) for number, closed in noted.items())


def _closed(position: Position) -> ClosedLetters:
    return from_note(max(position.committed, 0), position.note)


def to_letter(record: Message) -> DeadLetter:
    """What a record of a topic of dead letters says."""
    headers = record.headers() or []
    pairs = list(headers.items()) if isinstance(headers, dict) else headers
    said = {name: value for name, value in pairs if name in _PROVENANCE}
    kept: KafkaHeaders = [(name, value) for name, value in pairs if name not in _PROVENANCE]
    place = record.partition() or 0, record.offset() or 0
    topic, partition, offset, group, stage, error = (_text(said.get(name)) for name in _PROVENANCE)
    key, value = _bytes(record.key()), _bytes(record.value())
    return DeadLetter(place, topic, partition, offset, group, stage, error, key, value, kept)


def _text(value: str | bytes | None) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value or ""


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
