"""What the enricher tells Kafka, and what it does when Kafka's queue is full."""

import pytest
from confluent_kafka import Message

from interlude.events.errors import InvalidEvent, Stage
from interlude.features.interest import Interest
from interlude.features.state import ListenerState
from interlude.servicekit.dead_letters import DeadLetters
from interlude.servicekit.errors import Unavailable
from interlude.servicekit.producing import KafkaHeaders
from interlude.v1 import events_pb2 as pb
from services.enricher.folding import FoldedArrivals
from services.enricher.outbox import KafkaOutbox, to_event

INTEREST = Interest(track_id=7, closing_hash=99, window_start_ms=1000, window_end_ms=2000, listens=3)
BAD = Message(topic="listens", partition=0, offset=4, key=b"1", value=b"?")


class Queue:
    """A producer whose queue has `room` records, and gets it back at each flush unless Kafka is away."""

    def __init__(self, room: int, *, is_away: bool = False) -> None:
        self.in_kafka: list[tuple[str, bytes | None, bytes | None]] = []
        self._queued: list[tuple[str, bytes | None, bytes | None]] = []
        self._room = room
        self._is_away = is_away

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: KafkaHeaders | None = None) -> bool:
        if not headers or len(self._queued) >= self._room:
            return False
        self._queued.append((topic, key, value))
        return True

    def flush(self, timeout_seconds: float) -> None:
        if self._is_away:
            raise Unavailable(f"not in {timeout_seconds} s")
        self.in_kafka += self._queued
        self._queued = []


def _outbox(queue: Queue) -> KafkaOutbox:
    return KafkaOutbox(queue, DeadLetters(queue, "enricher"), flush_timeout_ms=1500)


def _put(outbox: KafkaOutbox, letters: int) -> None:
    for _ in range(letters):
        outbox.put_dead_letter(BAD, InvalidEvent(Stage.PARSE, "not a binary Listen"))


def test_an_interest_is_keyed_by_its_customer() -> None:
    queue = Queue(room=5)
    outbox = _outbox(queue)
    outbox.put_interests(42, FoldedArrivals(ListenerState(), [INTEREST], [True]))
    outbox.flush()
    [(topic, key, value)] = queue.in_kafka
    assert (topic, key) == ("interests", b"42")
    assert pb.Interest.FromString(value or b"") == pb.Interest(
        interest_id="9adffee7b247543b525d6759169b168b",
        customer_id=42,
        track_id=7,
        window_start_ms=1000,
        window_end_ms=2000,
        listens=3,
    )


def test_an_interests_id_depends_on_customer_track_and_closing_listen_alone() -> None:
    same = INTEREST._replace(window_start_ms=1, listens=9)
    others = [(43, INTEREST), (42, INTEREST._replace(track_id=8)), (42, INTEREST._replace(closing_hash=98))]
    assert to_event(42, same).interest_id == to_event(42, INTEREST).interest_id
    assert len({to_event(*other).interest_id for other in [*others, (42, INTEREST)]}) == 4


def test_a_full_queue_is_emptied_into_kafka_and_nothing_is_dropped() -> None:
    queue = Queue(room=2)
    outbox = _outbox(queue)
    _put(outbox, 5)
    outbox.put_interests(42, FoldedArrivals(ListenerState(), [INTEREST] * 4, [True]))
    outbox.flush()
    assert [topic for topic, _, _ in queue.in_kafka] == ["listens.enricher.dlq"] * 5 + ["interests"] * 4


def test_a_full_queue_is_unavailable_while_kafka_is_away() -> None:
    outbox = _outbox(Queue(room=2, is_away=True))
    _put(outbox, 2)
    with pytest.raises(Unavailable, match=r"not in 1\.5 s"):
        _put(outbox, 1)


def test_a_record_that_never_finds_room_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="queue of records for Kafka is full"):
        _put(_outbox(Queue(room=0)), 1)
