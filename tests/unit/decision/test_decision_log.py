"""Decisions behind the answers: each written once, none waited for, the surplus dropped and counted."""

import threading

from interlude.contacts.campaign import Campaign
from interlude.servicekit.producing import KafkaHeaders
from interlude.v1 import decision_pb2 as pb
from services.decision.decision_log import WAITING_LIMIT, DecisionLog
from services.decision.engine import Answer, Question
from services.decision.journal import Journal
from services.decision.policy import Facts, Reason

_NOW_MS = 1_700_000_000_000
_WAIT_S = 20.0


class _Sink:
    """Kafka's queue; remembers what it was sent."""

    def __init__(self) -> None:
        self.logged: list[pb.DecisionLogged] = []
        self.came = threading.Event()

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: KafkaHeaders | None = None) -> bool:
        """Take a record."""
        assert topic == "decisions"
        logged = pb.DecisionLogged.FromString(value or b"")
        assert key == b"%d" % logged.request.customer_id
        assert ("ce_id", logged.decision_id.encode()) in (headers or [])
        self.logged.append(logged)
        self.came.set()
        return True


def _append(log: DecisionLog, customer_id: int) -> None:
    campaign = Campaign(campaign_id="a")
    answer = Answer(Question("r", customer_id, campaign), Reason.UNKNOWN_CUSTOMER, Facts(campaign), "v", _NOW_MS)
    log.append(
        pb.DecideRequest(request_id="r", customer_id=customer_id),
        pb.DecideResponse(decision_id=f"d{customer_id}", outcome_token=b"secret"),
        answer,
    )


def test_decisions_are_written_in_order_once_and_without_their_token() -> None:
    sink = _Sink()
    log = DecisionLog(Journal(sink), lambda: None, service_version="1.2")
    for customer_id in range(3):
        _append(log, customer_id)
    assert sink.logged == []
    log.write_waiting()
    log.write_waiting()
    assert [line.decision_id for line in sink.logged] == ["d0", "d1", "d2"]
    assert {(line.response.outcome_token, line.service_version, line.decided_at_ms) for line in sink.logged} == {
        (b"", "1.2", _NOW_MS)
    }


def test_what_finds_no_room_is_dropped_and_counted() -> None:
    sink, dropped = _Sink(), []
    log = DecisionLog(Journal(sink), lambda: dropped.append(1), service_version="1")
    for customer_id in range(WAITING_LIMIT + 2):
        _append(log, customer_id)
    log.write_waiting()
    assert (len(sink.logged), len(dropped)) == (WAITING_LIMIT, 2)
    _append(log, 7)
    log.write_waiting()
    assert sink.logged[-1].decision_id == "d7"


def test_a_thread_writes_until_it_is_told_to_stop_and_the_rest_is_written_at_the_end() -> None:
    sink, stop = _Sink(), threading.Event()
    log = DecisionLog(Journal(sink), lambda: None, service_version="1")
    thread = threading.Thread(target=log.write_until, args=(stop,))
    thread.start()
    _append(log, 1)
    assert sink.came.wait(_WAIT_S)
    stop.set()
    thread.join(_WAIT_S)
    _append(log, 2)
    log.write_waiting()
    assert [line.decision_id for line in sink.logged] == ["d1", "d2"]
