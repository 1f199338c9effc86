"""A producer whose Kafka client hears nothing any more gets another one; what waits for a Kafka that is away is left waiting."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException, Message

from interlude.servicekit import deafness, producing
from interlude.servicekit.errors import Unavailable
from interlude.servicekit.producing import RecordProducer

_DEADLINE_S = 20.0
Report = Callable[[KafkaError | None, Message], None]


class Client:
    """Kafka's client, as it is while it is deaf: what is put in stays until it is purged, and nobody answers."""

    def __init__(self, *_: object, **__: object) -> None:
        self.waiting: list[tuple[Message, Report]] = []
        self.purged: list[tuple[Message, Report]] = []
        self.hears = False
        self.asked = 0
        CLIENTS.append(self)

    def produce(self, topic: str, *, value: bytes, key: bytes, on_delivery: Report, **_: object) -> None:
        self.waiting.append((Message(topic=topic, key=key, value=value), on_delivery))

    def __len__(self) -> int:
        return len(self.waiting)

    def poll(self, _timeout: float) -> int:
        return 0

    def purge(self) -> None:
        self.purged, self.waiting = self.waiting, []

    def flush(self, _timeout: float) -> int:
        for record, report in self.purged:
            report(KafkaError(KafkaError._PURGE_QUEUE), record)
        self.purged = []
        return len(self.waiting)

    def list_topics(self, **_: object) -> object:
        self.asked += 1
        if self.hears:
            return object()
        raise KafkaException(KafkaError(KafkaError._TRANSPORT))


CLIENTS: list[Client] = []


@pytest.fixture(autouse=True)
def _deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    CLIENTS.clear()
    monkeypatch.setattr(producing, "Producer", Client)
    monkeypatch.setattr(deafness, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(deafness, "_ASK_EVERY_SECONDS", 0.05)


def _producer(**settings: Any) -> RecordProducer:
    return RecordProducer("nowhere:1", client_id="test", partitioner="murmur2", **settings)


class HearingClient(Client):
    """A client of a Kafka that answers."""

    def __init__(self, *_: object, **__: object) -> None:
        super().__init__()
        self.hears = True


@contextmanager
def _polled(producer: RecordProducer) -> Iterator[None]:
    stop = threading.Event()
    polling = threading.Thread(target=producer.poll_until, args=(stop,))
    polling.start()
    try:
        yield
    finally:
        stop.set()
        polling.join()


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.005)


def test_while_it_is_polled_a_deaf_client_is_replaced_and_what_waited_in_it_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept: list[tuple[str, bytes, bytes]] = []

    def keep(*record: Any) -> bool:
        kept.append(cast(tuple[str, bytes, bytes], record))
        return True

    producer = _producer(keep=keep)
    monkeypatch.setattr(producing, "Producer", HearingClient)
    with _polled(producer):
        assert producer.try_send("decisions", b"7", b"shown")
        _until(lambda: bool(kept))
    assert kept == [("decisions", b"7", b"shown")]
    assert len(CLIENTS) == 2
    producer.try_send("decisions", b"8", b"withheld")
    assert (len(CLIENTS[0]), len(CLIENTS[1])) == (0, 1)


def test_what_waits_for_a_kafka_that_is_away_is_left_waiting() -> None:
    dropped: list[str] = []
    producer = _producer(on_undelivered=dropped.append)
    with _polled(producer):
        producer.try_send("decisions", b"7", b"shown")
        _until(lambda: len(CLIENTS) >= 3)  # given up twice, if it were deaf
    assert (len(CLIENTS[0]), dropped) == (1, [])


def test_a_client_that_finds_kafka_again_behind_another_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    producer = _producer()

    class Returning(HearingClient):
        """Kafka answers this one, and from then on the first one too."""

        def list_topics(self, **_: object) -> object:
            CLIENTS[0].hears = True
            return super().list_topics()

    monkeypatch.setattr(producing, "Producer", Returning)
    with _polled(producer):
        producer.try_send("decisions", b"7", b"shown")
        _until(lambda: CLIENTS[0].hears)
        asked = CLIENTS[0].asked
        _until(lambda: CLIENTS[0].asked >= asked + 3)
    assert (len(CLIENTS), len(CLIENTS[0])) == (2, 1)


def test_a_client_in_which_nothing_waits_is_left_alone() -> None:
    producer, turns = _producer(), iter(range(200))
    stop = cast(threading.Event, SimpleNamespace(is_set=lambda: next(turns, None) is None))
    producer.poll_until(stop)
    assert len(CLIENTS) == 1


def test_a_flush_replaces_a_deaf_client_and_says_what_is_not_in_kafka() -> None:
    dropped: list[str] = []
    producer = _producer(on_undelivered=dropped.append)
    producer.try_send("interests", b"7", b"found")
    for _ in range(1000):
        with pytest.raises(Unavailable, match="1 records are not in Kafka"):
            producer.flush(0.0)
        if dropped:
            break
        threading.Event().wait(0.01)
    assert (dropped, len(CLIENTS)) == (["interests"], 2)
