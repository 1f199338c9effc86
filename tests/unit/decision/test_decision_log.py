"""Decisions behind the answers: each written once, none waited for; what Kafka does not take goes to the disk."""

import threading
from collections import Counter
from collections.abc import Sequence

from interlude.servicekit.producing import KafkaHeaders
from interlude.v1 import decision_pb2 as pb
from services.decision.decision_log import GIVEN_UP_LIMIT, WAITING_LIMIT, DecisionLog
from services.decision.journal import Journal
from services.decision.policy import Reason
from services.decision.spill import SpilledRecord
from tests.unit.decision.decisions import CAMPAIGN, NOW_MS, decision

_WAIT_S = 20.0
_CUSTOMERS = {decision(customer_id).decision_id.decode(): customer_id for customer_id in range(10)}


class _Kafka:
    """Kafka's queue; remembers what it was sent. `room`: how many more it takes."""

    def __init__(self, room: int = WAITING_LIMIT) -> None:
        self.logged: list[pb.DecisionLogged] = []
        self.came = threading.Event()
        self.room = room

    def try_send(self, topic: str, key: bytes | None, value: bytes | None, headers: KafkaHeaders | None = None) -> bool:
        """Take a record, if there is room."""
        assert (topic, key) == ("decisions", b"%d" % _customer(pb.DecisionLogged.FromString(value or b"")))
        logged = pb.DecisionLogged.FromString(value or b"")
        assert ("ce_id", logged.decision_id.encode()) in (headers or [])
        assert ("ce_type", b"interlude.v1.DecisionLogged") in (headers or [])
        if self.room == 0:
            return False
        self.room -= 1
        self.logged.append(logged)
        self.came.set()
        return True

    send = try_send


class _Disk:
    def __init__(self) -> None:
        self.records: list[SpilledRecord] = []

    def append(self, records: Sequence[SpilledRecord]) -> None:
        """Keep all."""
        self.records += records


class _Scene:
    """A log with what it counted."""

    def __init__(self, *, room: int = WAITING_LIMIT, disk: bool = True) -> None:
        self.kafka, self.disk = _Kafka(room), _Disk()
        self.journal = Journal(self.kafka)
        self.dropped: Counter[str] = Counter()
        self.spilled: Counter[str] = Counter()
        self.log = DecisionLog(
            self.disk if disk else None,
            service_version="1.2",
            on_dropped=lambda topic, count: self.dropped.update({topic: count}),
            on_spilled=lambda topic: self.spilled.update({topic: 1}),
        )

    def append(self, *customer_ids: int) -> None:
        """Log one decision about each."""
        self.log.append([decision(customer_id, Reason.SHOW) for customer_id in customer_ids])

    def write(self) -> list[int]:
        """Write what waits; the customers of all decisions in Kafka."""
        self.log.write_waiting(self.journal)
        return [_customer(line) for line in self.kafka.logged]


def _customer(line: pb.DecisionLogged) -> int:
    return _CUSTOMERS[line.decision_id]


def test_decisions_are_written_in_order_once_and_without_their_token() -> None:
    scene = _Scene()
    scene.append(0, 1)
    scene.append(2)
    assert scene.kafka.logged == []
    assert scene.write() == [0, 1, 2]
    assert scene.write() == [0, 1, 2]
    line = scene.kafka.logged[0]
    assert (line.response.show, line.response.outcome_token) == (True, b"")
    assert (line.service_version, line.decided_at_ms, line.campaigns_version) == ("1.2", NOW_MS, "c1")
    assert line.response.campaign_id == CAMPAIGN.campaign_id
    assert not scene.spilled
    assert not scene.dropped


def test_what_finds_no_room_in_memory_is_dropped_and_counted() -> None:
    scene = _Scene()
    one = decision(1)
    scene.log.append([one] * (WAITING_LIMIT - 1))
    scene.log.append([one] * 3)
    scene.log.append([one])
    assert scene.dropped == {"decisions": 3}
    assert len(scene.write()) == WAITING_LIMIT
    scene.kafka.room = 1
    scene.append(7)
    assert scene.write()[-1] == 7


def test_what_kafka_has_no_room_for_goes_to_the_disk() -> None:
    scene = _Scene(room=2)
    scene.append(0, 1, 2, 3)
    assert scene.write() == [0, 1]
    lines = [pb.DecisionLogged.FromString(record.value) for record in scene.disk.records]
    assert [_customer(line) for line in lines] == [2, 3]
    assert {(record.topic, record.key) for record in scene.disk.records} == {("decisions", b"2"), ("decisions", b"3")}
    assert (scene.spilled, scene.dropped) == ({"decisions": 2}, {})


def test_what_kafka_gave_up_goes_to_the_disk_with_the_next_burst() -> None:
    scene = _Scene()
    assert scene.log.keep("ad-events", b"5", b"event")
    assert scene.disk.records == []
    scene.write()
    assert scene.disk.records == [SpilledRecord("ad-events", b"5", b"event")]
    assert scene.spilled == {"ad-events": 1}


def test_only_so_much_that_was_given_up_waits_for_the_disk() -> None:
    scene = _Scene()
    assert all(scene.log.keep("decisions", b"", b"") for _ in range(GIVEN_UP_LIMIT))
    assert not scene.log.keep("decisions", b"", b"")


def test_without_a_disk_it_is_lost_and_counted() -> None:
    scene = _Scene(room=1, disk=False)
    scene.append(0, 1, 2)
    assert scene.write() == [0]
    assert scene.dropped == {"decisions": 2}
    assert not scene.log.keep("decisions", b"1", b"")


def test_a_thread_writes_until_it_is_told_to_stop_and_the_rest_is_written_at_the_end() -> None:
    scene, stop = _Scene(), threading.Event()
    thread = threading.Thread(target=scene.log.write_until, args=(stop, scene.journal))
    thread.start()
    scene.append(1)
    assert scene.kafka.came.wait(_WAIT_S)
    stop.set()
    thread.join(_WAIT_S)
    scene.append(2)
    assert scene.write() == [1, 2]
