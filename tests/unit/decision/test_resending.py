"""Sending again: a segment is forgotten when Kafka has all of it, and not before."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from interlude.events.topics import Topic
from interlude.servicekit.errors import Unavailable
from interlude.servicekit.producing import KafkaHeaders, Keep
from interlude.v1 import events_pb2
from services.decision.policy import Reason
from services.decision.resending import Resender
from services.decision.responses import to_log
from services.decision.spill import Spill, SpilledRecord
from tests.unit.decision.decisions import decision

_WAIT_S = 20.0


class _Kafka:
    """A producer and what arrived. `fails`: it does not take what is queued; `refuses`: it refuses the records themselves."""

    def __init__(self) -> None:
        self.arrived: list[tuple[str, bytes | None, dict[str, str | bytes | None]]] = []
        self.fails = self.refuses = False
        self.room = 1000
        self.came = threading.Event()
        self._queued: list[tuple[str, bytes | None, bytes | None, KafkaHeaders]] = []
        self._keep: Keep | None = None

    def open(self, keep: Keep) -> "_Kafka":
        """The producer."""
        self._keep = keep
        return self

    def try_send(self, topic: str, key: bytes | None, value: bytes | None, headers: KafkaHeaders | None = None) -> bool:
        """Queue a record."""
        if len(self._queued) >= self.room:
            return False
        self._queued.append((topic, key, value, headers or []))
        return True

    send = try_send

    def flush(self, timeout_seconds: float) -> None:
        """Deliver what is queued, or say that it is not."""
        assert timeout_seconds > 0
        if self.fails:
            raise Unavailable("told so")
        queued, self._queued = self._queued, []
        if self.refuses:
            raise Unavailable("refused")
        self.arrived += [(topic, key, dict(headers)) for topic, key, _, headers in queued]
        self.came.set()

    def give_up(self) -> None:
        """Report all that is queued as undelivered."""
        queued, self._queued = self._queued, []
        for topic, key, value, _ in queued:
            assert self._keep
            assert self._keep(topic, key or b"", value or b"")


class _Scene:
    def __init__(self, directory: Path) -> None:
        self.kafka, self.resent = _Kafka(), Counter[str]()
        self.spill = Spill(directory, 2**30, lambda _topic, _count: None)
        self.resender = Resender(self.spill, self.kafka.open, lambda topic, count: self.resent.update({topic: count}))

    def spill_decisions(self, *customer_ids: int) -> None:
        """Put decisions on the disk."""
        lines = {customer_id: to_log(decision(customer_id, Reason.SHOW), "1") for customer_id in customer_ids}
        self.spill.append([SpilledRecord(Topic.DECISIONS, b"%d" % number, line) for number, line in lines.items()])


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[_Scene]:
    """An empty spill."""
    opened = _Scene(tmp_path)
    yield opened
    opened.spill.close()


def test_records_arrive_with_the_headers_they_would_have_had(scene: _Scene) -> None:
    event = events_pb2.AdEvent(event_id="e", customer_id=5, at_ms=1000)
    scene.spill_decisions(1)
    scene.spill.append(
        [
            SpilledRecord(Topic.AD_EVENTS, b"5", event.SerializeToString()),
            SpilledRecord(Topic.CAMPAIGNS, b"c1", b"{}"),
        ]
    )
    assert scene.resender.resend_oldest()
    found = [(topic, key, headers.get("ce_id"), headers["content-type"]) for topic, key, headers in scene.kafka.arrived]
    assert found == [
        ("decisions", b"1", decision(1).decision_id, b"application/x-protobuf"),
        ("ad-events", b"5", b"e", b"application/x-protobuf"),
        ("campaigns", b"c1", None, b"application/json"),
    ]
    assert scene.resent == {"decisions": 1, "ad-events": 1, "campaigns": 1}
    assert scene.spill.bytes_held() == 0
    assert not scene.resender.resend_oldest()


@pytest.mark.parametrize(
    "trouble", [lambda kafka: setattr(kafka, "fails", True), lambda kafka: setattr(kafka, "room", 1)]
)
def test_what_kafka_does_not_take_stays_on_disk_and_is_sent_again(
    scene: _Scene, trouble: Callable[[_Kafka], None]
) -> None:
    scene.spill_decisions(1, 2)
    trouble(scene.kafka)
    assert not scene.resender.resend_oldest()
    assert scene.spill.bytes_held() > 0
    assert not scene.resent
    scene.kafka.fails, scene.kafka.room = False, 1000
    assert scene.resender.resend_oldest()
    assert [key for _, key, _ in scene.kafka.arrived][-2:] == [b"1", b"2"]
    assert scene.spill.bytes_held() == 0


def test_records_that_kafka_refuses_for_good_do_not_hold_up_the_others(scene: _Scene) -> None:
    scene.spill_decisions(1)
    scene.kafka.refuses = True
    assert scene.resender.resend_oldest()
    assert scene.spill.bytes_held() == 0
    scene.kafka.refuses = False
    scene.spill_decisions(2)
    assert scene.resender.resend_oldest()
    assert [key for _, key, _ in scene.kafka.arrived] == [b"2"]


def test_a_thread_empties_the_disk_until_it_is_told_to_stop(scene: _Scene) -> None:
    stop = threading.Event()
    scene.spill_decisions(*range(40))
    thread = threading.Thread(target=scene.resender.resend_until, args=(stop,))
    thread.start()
    assert scene.kafka.came.wait(_WAIT_S)
    stop.set()
    thread.join(_WAIT_S)
    assert not thread.is_alive()
    assert len(scene.kafka.arrived) == 40
