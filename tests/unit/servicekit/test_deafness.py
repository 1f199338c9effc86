"""When a client of Kafka is given up: only after it was asked in vain for some time."""

from typing import cast

from confluent_kafka import Consumer, KafkaError, KafkaException

from interlude.servicekit.deafness import PATIENCE_SECONDS, Deafness


class Client:
    """Answers, or does not. `clock` moves on while it waits."""

    def __init__(self) -> None:
        self.now_seconds = 100.0
        self.answers = True
        self.asked = 0

    def list_topics(self, timeout: float) -> object:
        self.asked += 1
        if self.answers:
            return object()
        self.now_seconds += timeout
        raise KafkaException(KafkaError(KafkaError._TRANSPORT))


def _turns(client: Client, deafness: Deafness, seconds: float) -> bool:
    """Whether it is given up within so many seconds of a loop that turns ten times in one."""
    end = client.now_seconds + seconds
    while client.now_seconds < end:
        if deafness.is_total(cast(Consumer, client)):
            return True
        client.now_seconds += 0.1
    return False


def test_a_client_that_answers_is_kept_and_asked_now_and_then() -> None:
    client = Client()
    assert not _turns(client, Deafness(lambda: client.now_seconds), 60)
    assert 20 <= client.asked <= 31


def test_while_records_come_nobody_is_asked() -> None:
    client = Client()
    deafness = Deafness(lambda: client.now_seconds)
    for _ in range(600):
        client.now_seconds += 0.1
        deafness.heard()
        assert not deafness.is_total(cast(Consumer, client))
    assert client.asked == 0


def test_a_client_that_hears_nothing_is_given_up_after_some_patience() -> None:
    client = Client()
    deafness = Deafness(lambda: client.now_seconds)
    client.answers = False
    began_seconds = client.now_seconds
    assert _turns(client, deafness, 60)
    assert PATIENCE_SECONDS <= client.now_seconds - began_seconds < PATIENCE_SECONDS + 4


def test_a_short_outage_does_not_count_towards_the_next() -> None:
    client = Client()
    deafness = Deafness(lambda: client.now_seconds)
    for _ in range(5):
        client.answers = False
        assert not _turns(client, deafness, PATIENCE_SECONDS / 2)
        client.answers = True
        assert not _turns(client, deafness, 5)
