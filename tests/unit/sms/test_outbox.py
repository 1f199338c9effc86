"""What goes to Kafka."""

from dataclasses import dataclass, field
from typing import cast

import pytest
from confluent_kafka import Message

from interlude.events.errors import InvalidEvent, Stage
from interlude.servicekit.dead_letters import DeadLetters
from interlude.servicekit.errors import Unavailable
from interlude.servicekit.producing import KafkaHeaders
from interlude.v1 import events_pb2 as pb
from services.sms.journal import SentText, Status
from services.sms.outbox import KafkaOutbox
from services.sms.policy import Reason

SENT = SentText(7, "premium-day", "premium-day/7")
BAD = InvalidEvent(Stage.PARSE, "not a binary SmsRequest")


@dataclass
class FakeSink:
    records: list[tuple[str, bytes | None, bytes | None, KafkaHeaders]] = field(default_factory=list)
    is_full: bool = False
    is_away: bool = False

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: KafkaHeaders | None = None) -> bool:
        if not self.is_full:
            self.records.append((topic, key, value, headers or []))
        return not self.is_full

    def flush(self, timeout_seconds: float) -> None:
        if self.is_away:
            raise Unavailable(f"not in {timeout_seconds} s")


class FakeRecord:
    def topic(self) -> str:
        return "sms-requests"

    def partition(self) -> int:
        return 1

    def offset(self) -> int:
        return 2

    def key(self) -> bytes:
        return b"7"

    def value(self) -> bytes:
        return b"bad"

    def headers(self) -> None:
        return None


RECORD = cast(Message, FakeRecord())


def _outbox(sink: FakeSink, counted: list[tuple[str, str]] | None = None) -> KafkaOutbox:
    seen = counted if counted is not None else []
    return KafkaOutbox(sink, DeadLetters(sink, "sms"), 100, lambda topic, stage: seen.append((topic, stage)))


def test_an_event_says_what_happened_and_is_keyed_by_customer() -> None:
    sink = FakeSink()
    assert _outbox(sink).put_event(SENT, Status.SENT, Reason.NONE, 5, "op-1")
    [(topic, key, value, headers)] = sink.records
    assert (topic, key) == ("sms-events", b"7")
    assert dict(headers)["ce_id"] == b"premium-day/7/sent"
    assert pb.SmsEvent.FromString(value or b"") == pb.SmsEvent(
        event_id="premium-day/7/sent",
        request_id="premium-day/7",
        customer_id=7,
        campaign_id="premium-day",
        status=pb.SMS_STATUS_SENT,
        at_ms=5,
        operator_message_id="op-1",
    )


@pytest.mark.parametrize("reason", list(Reason))
def test_reasons_go_over_the_wire_by_number(reason: Reason) -> None:
    sink = FakeSink()
    _outbox(sink).put_event(SENT, Status.FAILED, reason, 5)
    assert pb.SmsEvent.FromString(sink.records[0][2] or b"").reason == int(reason)


def test_a_batch_that_is_handled_again_queues_nothing_twice() -> None:
    sink, counted = FakeSink(), list[tuple[str, str]]()
    outbox = _outbox(sink, counted)
    for expected in (True, False):
        assert outbox.put_event(SENT, Status.SENT, Reason.NONE, 5) is expected
        outbox.put_dead_letter(RECORD, BAD)
    assert [record[0] for record in sink.records] == ["sms-events", "sms-requests.sms.dlq"]
    assert counted == [("sms-requests", "parse")]


@pytest.mark.parametrize("is_away", [True, False])
def test_after_a_flush_the_same_may_be_told_again(is_away: bool) -> None:
    sink = FakeSink(is_away=is_away)
    outbox = _outbox(sink)
    outbox.put_event(SENT, Status.SENT, Reason.NONE, 5)
    if is_away:
        with pytest.raises(Unavailable):
            outbox.flush()
    else:
        outbox.flush()
    assert outbox.put_event(SENT, Status.SENT, Reason.NONE, 5)


def test_a_full_queue_makes_it_wait_and_forgets_nothing() -> None:
    sink = FakeSink(is_full=True)
    outbox = _outbox(sink)
    with pytest.raises(Unavailable):
        outbox.put_event(SENT, Status.SENT, Reason.NONE, 5)
    with pytest.raises(Unavailable):
        outbox.put_dead_letter(RECORD, BAD)
    sink.is_full = False
    assert outbox.put_event(SENT, Status.SENT, Reason.NONE, 5)
    outbox.put_dead_letter(RECORD, BAD)
    assert len(sink.records) == 2
