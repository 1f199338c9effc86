"""A batch, from records to what is done with them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from confluent_kafka import Message

from interlude.events.errors import InvalidEvent, Stage
from interlude.events.topics import Topic
from interlude.features.state import Erasure, Level
from interlude.servicekit.dead_letter_limit import DeadLetterLimit, TooManyDeadLetters
from interlude.servicekit.errors import Unavailable
from interlude.v1 import events_pb2 as pb
from services.sms.handler import ProfileChange, SmsHandler
from services.sms.metrics import SmsMetrics
from services.sms.policy import TextProfile, TextRequest

NOW_MS = 1_700_000_000_000


@dataclass
class FakeRecord:
    """As much of a Kafka message as is looked at."""

    topic_name: str
    key_bytes: bytes | None
    value_bytes: bytes | None

    def topic(self) -> str:
        return self.topic_name

    def key(self) -> bytes | None:
        return self.key_bytes

    def value(self) -> bytes | None:
        return self.value_bytes

    def headers(self) -> None:
        return None


@dataclass
class Seen:
    """Everything that the handler calls, in order."""

    calls: list[tuple[str, Any]] = field(default_factory=list)
    seconds: float = 0.0

    def apply(self, changes: Sequence[ProfileChange]) -> None:
        self.calls.append(("apply", list(changes)))

    def close(self, customer_id: int, phone: str) -> bytes:
        return f"{customer_id}:{phone}".encode()

    def dispatch(self, requests: Sequence[TextRequest]) -> None:
        self.calls.append(("dispatch", [request.request_id for request in requests]))
        self.seconds += 20

    def put_dead_letter(self, record: Message, reason: InvalidEvent) -> None:
        self.calls.append(("dead letter", (record.key(), reason.stage)))

    def flush(self) -> None:
        self.calls.append(("flush", None))

    def now_seconds(self) -> float:
        return self.seconds


def _customer(customer_id: int, **fields: Any) -> FakeRecord:
    customer = pb.Customer(
        customer_id=customer_id, updated_at_ms=5, level=pb.LEVEL_FREE, active=True, phone="+15550100", **fields
    )
    return FakeRecord(Topic.CUSTOMERS, b"%d" % customer_id, customer.SerializeToString())


def _request(customer_id: int, **fields: Any) -> FakeRecord:
    given = {"request_id": f"a/{customer_id}", "campaign_id": "a", "requested_at_ms": NOW_MS, "score": 0.5, **fields}
    request = pb.SmsRequest(customer_id=customer_id, **given)
    return FakeRecord(Topic.SMS_REQUESTS, b"%d" % customer_id, request.SerializeToString())


def _handle(*records: FakeRecord, window: int = 2, seen: Seen | None = None) -> list[tuple[str, Any]]:
    seen = seen or Seen()
    handler = SmsHandler(
        directory=seen,
        seal=seen,
        dispatcher=seen,
        outbox=seen,
        metrics=SmsMetrics(),
        limit=DeadLetterLimit(0.5, window_records=1000, minimum_records=20),
        now_ms=lambda: NOW_MS,
        window=window,
        now_seconds=seen.now_seconds,
    )
    handler.handle([cast(Message, record) for record in records])
    return seen.calls


def test_profiles_come_first_then_requests_a_window_at_a_time_then_kafka() -> None:
    calls = _handle(_request(1), _customer(1, consent_sms=True), _request(2), _request(3))
    profile = TextProfile(5, Level.FREE, active=True, consent_sms=True, sealed_phone=b"1:+15550100")
    assert calls == [
        ("apply", [(1, profile)]),
        ("dispatch", ["a/1", "a/2"]),
        ("dispatch", ["a/3"]),
        ("flush", None),
    ]


def test_profiles_and_deletions_keep_their_order() -> None:
    calls = _handle(_customer(1), FakeRecord(Topic.CUSTOMERS, b"1", None), _customer(2))
    assert [(customer_id, change is None) for customer_id, change in calls[0][1]] == [(1, False), (1, True), (2, False)]


def test_an_erasure_is_handed_on_as_what_it_is() -> None:
    erasure = pb.Customer(customer_id=1, erased_at_ms=5)
    calls = _handle(_customer(1), FakeRecord(Topic.CUSTOMERS, b"1", erasure.SerializeToString()))
    assert [change for _, change in calls[0][1]][1:] == [Erasure(5)]


def test_the_same_request_twice_is_one() -> None:
    assert ("dispatch", ["a/1"]) in _handle(_request(1), _request(1))


@pytest.mark.parametrize(
    ("record", "stage"),
    [
        (FakeRecord(Topic.SMS_REQUESTS, b"1", b"\xff\xff"), Stage.PARSE),
        (FakeRecord(Topic.SMS_REQUESTS, b"1", None), Stage.VALIDATE),
        (FakeRecord(Topic.SMS_REQUESTS, b"1", b"x" * 70_000), Stage.SIZE),
        (FakeRecord(Topic.SMS_REQUESTS, b"2", _request(1).value_bytes), Stage.VALIDATE),
        (FakeRecord(Topic.CUSTOMERS, b"2", _customer(1).value_bytes), Stage.VALIDATE),
        (FakeRecord(Topic.CUSTOMERS, b"no number", None), Stage.VALIDATE),
        (_request(-1), Stage.VALIDATE),
        (_request(1, request_id=""), Stage.VALIDATE),
        (_request(1, request_id="x" * 129), Stage.VALIDATE),
        (_request(1, campaign_id=""), Stage.VALIDATE),
        (_request(1, requested_at_ms=0), Stage.VALIDATE),
        (_request(1, requested_at_ms=NOW_MS + 301_000), Stage.VALIDATE),
        (_request(1, expires_at_ms=-1), Stage.VALIDATE),
        (_request(1, score=1.5), Stage.VALIDATE),
        (_request(1, score=float("nan")), Stage.VALIDATE),
        (_request(1, model_version="x" * 129), Stage.VALIDATE),
    ],
)
def test_a_bad_record_is_a_dead_letter_and_the_rest_goes_on(record: FakeRecord, stage: Stage) -> None:
    calls = _handle(record, _request(5))
    assert calls[0] == ("dead letter", (record.key_bytes, stage))
    assert ("dispatch", ["a/5"]) in calls


def test_json_is_taken_as_well() -> None:
    text = b'{"requestId": "a/1", "customerId": "1", "campaignId": "a", "requestedAtMs": "5"}'
    assert ("dispatch", ["a/1"]) in _handle(FakeRecord(Topic.SMS_REQUESTS, b"1", text))


def test_a_batch_that_takes_long_is_left_for_a_while() -> None:
    with pytest.raises(Unavailable, match="slow"):
        _handle(*(_request(customer_id) for customer_id in range(1, 10)))


def test_over_the_limit_of_dead_letters_nothing_of_the_batch_is_done() -> None:
    seen = Seen()
    bad = [FakeRecord(Topic.SMS_REQUESTS, b"1", b"\xff") for _ in range(11)]
    with pytest.raises(TooManyDeadLetters, match="11 of the last 20 records of sms-requests"):
        _handle(*bad, _customer(1), *(_request(number) for number in range(9)), seen=seen)
    assert seen.calls == []
