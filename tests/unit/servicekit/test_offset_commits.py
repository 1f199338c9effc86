"""What Kafka is told of handled records, and what becomes of a commit that it never answers."""

from collections.abc import Sequence
from typing import cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from interlude.servicekit.offset_commits import REPEAT_SECONDS, REPEATS, OffsetCommits
from interlude.servicekit.records import Place

INTERVAL_MS = 1000
TURN_SECONDS = 0.125


class Record:
    """Of the topic `t`."""

    def __init__(self, partition: int, offset: int) -> None:
        self._partition, self._offset = partition, offset

    def topic(self) -> str:
        return "t"

    def partition(self) -> int:
        return self._partition

    def offset(self) -> int:
        return self._offset


class Client:
    """Takes note of what it is to commit, and answers when it is told to."""

    def __init__(self) -> None:
        self.now_seconds = 100.0
        self.asked: list[list[TopicPartition]] = []
        self.refuses = False
        self.commits = OffsetCommits(cast(Consumer, self), INTERVAL_MS, now_seconds=lambda: self.now_seconds)

    def commit(self, offsets: Sequence[TopicPartition], asynchronous: bool) -> None:
        assert asynchronous
        if self.refuses:
            raise KafkaException(KafkaError(KafkaError._STATE))
        self.asked.append(list(offsets))

    def handle(self, offset: int, partition: int = 0) -> None:
        self.commits.note([cast(Message, Record(partition, offset))])

    def turns(self, seconds: float) -> None:
        """A loop that turns eight times a second."""
        for _ in range(round(seconds / TURN_SECONDS)):
            self.commits.commit_when_due()
            self.now_seconds += TURN_SECONDS

    def answer(self, number: int = -1, error: KafkaError | None = None) -> None:
        self.commits.answered(error, self.asked[number])

    @property
    def told(self) -> list[dict[int, int]]:
        """By commit, the offset of each partition."""
        return [{offset.partition: offset.offset for offset in offsets} for offsets in self.asked]


def test_what_is_handled_is_committed_once_per_interval() -> None:
    client = Client()
    for offset in range(20):
        client.handle(offset)
        client.turns(TURN_SECONDS)
        client.answer()
    assert client.told == [{0: 1}, {0: 9}, {0: 17}]
    client.turns(1)
    client.answer()
    client.turns(60)
    assert client.told[3:] == [{0: 20}]


def test_an_answered_commit_is_not_repeated() -> None:
    client = Client()
    client.handle(5)
    client.turns(1)
    client.answer()
    client.turns(100)
    assert client.told == [{0: 6}]
    assert not client.commits.are_ignored


def test_a_commit_without_an_answer_is_repeated_until_the_client_is_given_up() -> None:
    client = Client()
    client.handle(5)
    client.turns(REPEAT_SECONDS * (REPEATS + 0.5))
    assert client.told == [{0: 6}] * (1 + REPEATS)
    assert not client.commits.are_ignored
    client.turns(REPEAT_SECONDS)
    assert client.commits.are_ignored


def test_a_late_answer_is_an_answer() -> None:
    client = Client()
    client.handle(5)
    client.turns(REPEAT_SECONDS * (REPEATS + 0.5))
    client.answer(0)
    client.turns(100)
    assert client.told == [{0: 6}] * (1 + REPEATS)
    assert not client.commits.are_ignored


def test_silence_is_noticed_also_while_more_is_handled_and_committed() -> None:
    client = Client()
    for offset in range(int(REPEAT_SECONDS * (REPEATS + 2))):
        client.handle(offset)
        client.turns(1)
    assert client.commits.are_ignored


def test_answers_that_trail_behind_are_no_silence() -> None:
    client = Client()
    for offset in range(100):
        client.handle(offset)
        client.turns(1)
        if offset > 2:
            client.answer(offset - 2)
    assert not client.commits.are_ignored
    assert client.told == [{0: offset + 1} for offset in range(100)]


def test_the_answer_to_an_earlier_commit_does_not_stand_for_a_later_one() -> None:
    client = Client()
    client.handle(5)
    client.turns(1)
    client.handle(6)
    client.turns(1)
    client.answer(0)
    client.turns(REPEAT_SECONDS + 1)
    assert client.told == [{0: 6}, {0: 7}, {0: 7}]


def test_what_kafka_refuses_it_is_told_again() -> None:
    client = Client()
    client.handle(5)
    client.turns(1)
    client.answer(error=KafkaError(KafkaError.STALE_MEMBER_EPOCH))
    client.turns(1)
    assert client.told == [{0: 6}] * 2


def test_what_the_client_refuses_it_is_told_again() -> None:
    client = Client()
    client.refuses = True
    client.handle(5)
    client.turns(1)
    client.refuses = False
    client.turns(1)
    assert client.told == [{0: 6}]


def test_partitions_that_are_somebody_elses_are_neither_committed_nor_waited_for() -> None:
    client = Client()
    client.handle(5, partition=0)
    client.handle(7, partition=1)
    client.turns(1)
    client.commits.forget({Place("t", 0)})
    client.turns(REPEAT_SECONDS)
    assert client.told == [{0: 6, 1: 8}, {1: 8}]
    client.commits.forget({Place("t", 1)})
    client.turns(100)
    assert len(client.asked) == 2
    assert not client.commits.are_ignored


def test_after_a_restart_only_the_new_offsets_are_committed() -> None:
    client = Client()
    client.handle(5)
    client.turns(1)
    client.commits.restart([TopicPartition("t", 0, 2)])
    client.turns(1)
    client.answer()
    client.turns(100)
    assert client.told == [{0: 6}, {0: 2}]
