"""A flood of dead letters stops the service, one bad record does not, and the sentence says what to look for."""

import pytest
from confluent_kafka import Message

from interlude.servicekit.dead_letter_limit import DeadLetterLimit, TooManyDeadLetters

Rejected = list[tuple[Message, Exception]]


def _bad(records: int, problem: str = "parse: no Listen", topic: str = "listens") -> Rejected:
    return [(Message(topic=topic), ValueError(problem)) for _ in range(records)]


def _take(limit: DeadLetterLimit, records: int, bad: int) -> None:
    limit.add(limit.check({"listens": records}, _bad(bad)))


def _limit(share: float = 0.5, window: int = 100, minimum: int = 10) -> DeadLetterLimit:
    return DeadLetterLimit(share, window_records=window, minimum_records=minimum)


def test_exactly_the_share_is_allowed_and_one_more_is_not() -> None:
    limit = _limit()
    limit.check({"listens": 20}, _bad(10))
    with pytest.raises(TooManyDeadLetters):
        limit.check({"listens": 20}, _bad(11))


def test_few_records_are_no_flood() -> None:
    limit = _limit(minimum=10)
    limit.check({"listens": 9}, _bad(9))
    with pytest.raises(TooManyDeadLetters):
        limit.check({"listens": 10}, _bad(10))


def test_small_batches_add_up() -> None:
    limit = _limit(minimum=10)
    for _ in range(9):
        _take(limit, 1, 1)
    with pytest.raises(TooManyDeadLetters):
        _take(limit, 1, 1)


def test_a_batch_that_waits_is_not_counted_again_and_again() -> None:
    limit = _limit(minimum=10)
    _take(limit, 10, 5)
    for _ in range(3):
        with pytest.raises(TooManyDeadLetters, match="8 of the last 14"):
            limit.check({"listens": 4}, _bad(3))
    _take(limit, 4, 2)


def test_what_is_longer_ago_than_the_window_does_not_count() -> None:
    limit = _limit(window=100)
    for _ in range(10):
        _take(limit, 100, 0)
    _take(limit, 60, 60)
    with pytest.raises(TooManyDeadLetters, match="120 of the last 220"):
        _take(limit, 60, 60)


def test_each_topic_has_its_own_share() -> None:
    limit = _limit()
    good_and_bad = {"listens": 1000, "customers": 10}
    with pytest.raises(TooManyDeadLetters, match="10 of the last 10 records of customers"):
        limit.check(good_and_bad, _bad(10, topic="customers"))


def test_a_good_batch_passes_after_many_bad_ones() -> None:
    limit = _limit(minimum=10)
    _take(limit, 9, 9)
    _take(limit, 1, 0)


def test_a_share_of_one_is_never_exceeded() -> None:
    _take(_limit(share=1.0), 1000, 1000)


def test_the_sentence_names_topic_share_and_the_commonest_reason() -> None:
    limit = _limit()
    rejected = [*_bad(2, "parse: no Listen"), *(_bad(1, f"validate: device is {number}")[0] for number in range(9))]
    with pytest.raises(TooManyDeadLetters) as raised:
        limit.check({"listens": 20}, rejected)
    assert str(raised.value) == (
        "an end to dead letters: 11 of the last 20 records of listens (55%) cannot be taken, the limit is 50%; "
        "commonest: validate: device is # (9)"
    )


def test_stopping_and_going_on_are_told_once() -> None:
    told: list[tuple[str, bool]] = []
    limit = DeadLetterLimit(
        0.5, window_records=100, minimum_records=1, on_stopped=lambda topic, stopped: told.append((topic, stopped))
    )
    for _ in range(2):
        with pytest.raises(TooManyDeadLetters):
            limit.check({"listens": 1}, _bad(1))
    limit.check({"listens": 1}, [])
    limit.check({"listens": 1}, [])
    assert told == [("listens", True), ("listens", False)]
