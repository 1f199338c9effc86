"""From receipts to the last event of a request."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from interlude.servicekit.errors import Unavailable
from services.sms.journal import SentText, Status
from services.sms.metrics import SmsMetrics
from services.sms.policy import Reason
from services.sms.receipt_desk import UNMATCHED_SECONDS, ReceiptDesk
from services.sms.receipts import DeliveryState, Receipt

NOW_MS = 1_700_000_000_000
SENT = SentText(7, "premium-day", "premium-day/7")
DELIVERED = Receipt("m1", DeliveryState.DELIVERED)
UNDELIVERABLE = Receipt("m1", DeliveryState.UNDELIVERABLE)


@dataclass
class World:
    """Redis, Kafka and the clock, as the desk sees them."""

    sent: dict[str, SentText] = field(default_factory=dict)
    events: list[tuple[str, Status, Reason, int, str]] = field(default_factory=list)
    kafka_is_away: bool = False
    seconds: float = 0.0
    metrics: SmsMetrics = field(default_factory=SmsMetrics)

    def __post_init__(self) -> None:
        self.desk = ReceiptDesk(self, self, self.metrics, now_ms=lambda: NOW_MS, now_seconds=lambda: self.seconds)

    def find_sent(self, message_ids: Sequence[str]) -> dict[str, SentText]:
        return {one: self.sent[one] for one in message_ids if one in self.sent}

    def forget_sent(self, message_ids: Sequence[str]) -> None:
        for one in message_ids:
            del self.sent[one]

    def put_event(self, sent: SentText, status: Status, reason: Reason, at_ms: int, message_id: str = "") -> bool:
        self.events.append((sent.request_id, status, reason, at_ms, message_id))
        return True

    def flush(self) -> None:
        if self.kafka_is_away:
            raise Unavailable("Kafka")

    def turn(self, *receipts: Receipt | None) -> None:
        """What is there is worked on once."""
        for receipt in receipts:
            self.desk.take(receipt)
        stop = threading.Event()
        stop.set()
        self.desk.run(stop)

    def counted(self, kind: str) -> float:
        return self.metrics.registry.get_sample_value("interlude_sms_receipts_total", {"kind": kind}) or 0.0


@pytest.mark.parametrize(
    ("receipt", "status", "reason"),
    [(DELIVERED, Status.DELIVERED, Reason.NONE), (UNDELIVERABLE, Status.FAILED, Reason.UNDELIVERABLE)],
)
def test_a_receipt_ends_its_request_once(receipt: Receipt, status: Status, reason: Reason) -> None:
    world = World({"m1": SENT})
    world.turn(receipt)
    world.turn(receipt)
    assert world.events == [("premium-day/7", status, reason, NOW_MS, "m1")]
    assert world.sent == {}
    assert world.counted(receipt.state.value) == 1


def test_the_first_of_two_words_counts() -> None:
    world = World({"m1": SENT})
    world.turn(UNDELIVERABLE, DELIVERED)
    assert [event[1] for event in world.events] == [Status.FAILED]


def test_a_receipt_may_come_before_its_message_is_known() -> None:
    world = World()
    world.turn(DELIVERED)
    world.seconds = UNMATCHED_SECONDS
    world.sent["m1"] = SENT
    world.turn()
    assert [event[1] for event in world.events] == [Status.DELIVERED]


def test_a_receipt_of_nobody_is_counted_and_forgotten() -> None:
    world = World()
    world.turn(DELIVERED)
    assert world.counted("unknown") == 0
    world.seconds = UNMATCHED_SECONDS + 0.1
    world.turn()
    world.sent["m1"] = SENT
    world.turn()
    assert world.events == []
    assert world.counted("unknown") == 1


def test_nothing_is_forgotten_before_kafka_has_it() -> None:
    world = World({"m1": SENT}, kafka_is_away=True)
    world.turn(DELIVERED)
    assert world.sent == {"m1": SENT}
    world.kafka_is_away = False
    world.turn()
    assert world.sent == {}
    assert {event[1] for event in world.events} == {Status.DELIVERED}


def test_what_ends_nothing_is_only_counted() -> None:
    world = World({"m1": SENT})
    world.turn(Receipt("m1", DeliveryState.UNDERWAY), None)
    assert (world.counted("underway"), world.counted("other")) == (1, 1)
    assert world.events == []
    assert world.sent == {"m1": SENT}
