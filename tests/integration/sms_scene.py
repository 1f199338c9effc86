"""A running sms service in a test: what is put before it, and what can be seen of it."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from confluent_kafka import Consumer, Producer

from devstack.keys import generate_keys
from devstack.ports import LOOPBACK, free_port
from devstack.service import ServiceProcess, http_ready
from devstack.smsc.part import SmscServer
from devstack.smsc.record import read_messages
from devstack.stack import Stack
from devstack.topics import TopicPlan, create
from interlude.events.topics import PARTITIONER, Topic, dead_letter_topic
from interlude.events.writing import to_record
from interlude.v1 import events_pb2 as pb

DEADLINE_S: Final = 60.0
_POLL_S: Final = 0.05
CAMPAIGN: Final = "premium-day"
WINDOW: Final = 8
_KINDS: Final = (
    "plain",
    "plain",
    "opted out",
    "gold",
    "unknown",
    "plain",
    "undeliverable",
    "refused",
    "inactive",
    "plain",
)
PLAIN: Final = "plain"
_SUFFIXES: Final = {"undeliverable": "77", "refused": "66"}


def kind_of(customer_id: int) -> str:
    return _KINDS[customer_id % len(_KINDS)]


def phone_of(customer_id: int) -> str:
    return f"+1555{customer_id:05d}{_SUFFIXES.get(kind_of(customer_id), '00')}"


def new_customer(customer_id: int, *, updated_at_ms: int | None = None, consent: bool | None = None) -> pb.Customer:
    kind = kind_of(customer_id)
    return pb.Customer(
        customer_id=customer_id,
        updated_at_ms=updated_at_ms or now_ms(),
        level=pb.LEVEL_GOLD if kind == "gold" else pb.LEVEL_FREE,
        active=kind != "inactive",
        consent_sms=kind != "opted out" if consent is None else consent,
        phone=phone_of(customer_id),
    )


def new_request(customer_id: int, request_id: str = "") -> pb.SmsRequest:
    return pb.SmsRequest(
        request_id=request_id or f"{CAMPAIGN}/{customer_id}",
        customer_id=customer_id,
        campaign_id=CAMPAIGN,
        requested_at_ms=now_ms(),
        score=0.5,
    )


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Scene:
    """One service on one operator, and what can be seen of both."""

    def __init__(self, stack: Stack, operator: SmscServer, group_id: str, logs: Path, settings: dict[str, str]) -> None:
        self.operator = operator
        self.bootstrap = stack.kafka
        self._group_id = group_id
        self._producer = Producer({"bootstrap.servers": stack.kafka, "partitioner": PARTITIONER, "linger.ms": 5})
        self._logs = logs
        self._settings = {
            "SMS_KAFKA_BOOTSTRAP": stack.kafka,
            "SMS_REDIS_URL": stack.redis,
            "SMS_SMPP_HOST": operator.host,
            "SMS_SMPP_PORT": str(operator.port),
            "SMS_SMPP_SYSTEM_ID": operator.settings.system_id,
            "SMS_SMPP_PASSWORD": operator.settings.password,
            "SMS_SOURCE_ADDRESS": "Interlude",
            "SMS_PHONE_KEY": generate_keys().phone_key,
            "SMS_GROUP_ID": group_id,
            "SMS_WINDOW": str(WINDOW),
            **settings,
        }
        self.service = self.new_service("sms")

    def new_service(self, name: str) -> ServiceProcess:
        """One more instance, not started."""
        port = free_port()
        environment = {**self._settings, "SMS_METRICS_PORT": str(port)}
        ready = http_ready(f"http://{LOOPBACK}:{port}/readyz")
        return ServiceProcess(name, "services.sms", environment, ready=ready, log_directory=self._logs)

    def put_customers(self, customers: list[pb.Customer]) -> None:
        for one in customers:
            record = to_record(one, customer_id=one.customer_id, event_id="", at_ms=one.updated_at_ms, source="test")
            self._producer.produce(Topic.CUSTOMERS, record.value, record.key, headers=list(record.headers))
        assert self._producer.flush(DEADLINE_S) == 0

    def put_requests(self, requests: list[pb.SmsRequest]) -> None:
        for one in requests:
            self._producer.produce(Topic.SMS_REQUESTS, one.SerializeToString(), b"%d" % one.customer_id)
        assert self._producer.flush(DEADLINE_S) == 0

    def put_raw(self, topic: str, key: bytes, value: bytes) -> None:
        self._producer.produce(topic, value, key)
        assert self._producer.flush(DEADLINE_S) == 0

    def destinations(self) -> Counter[str]:
        return Counter(f"+{message.destination}" for message in read_messages(self.operator.record))

    def wait_for(self, what: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not what():
            assert self.service.alive, self.service.log_tail()
            assert time.monotonic() < deadline, self.service.log_tail()
            time.sleep(_POLL_S)

    @contextmanager
    def events(self) -> Iterator["Events"]:
        reader = Events(self.bootstrap, self._group_id)
        try:
            yield reader
        finally:
            reader.close()


class Events:
    """All of `sms-events`, in the order they were read; the same event twice is kept once."""

    def __init__(self, bootstrap: str, group_id: str) -> None:
        self._consumer = Consumer(
            {"bootstrap.servers": bootstrap, "group.id": f"{group_id}-reader", "auto.offset.reset": "earliest"}
        )
        self._consumer.subscribe([Topic.SMS_EVENTS])
        self.by_id: dict[str, pb.SmsEvent] = {}
        self.raw: list[bytes] = []

    def read(self) -> bool:
        """Take in what has come; always true, for conditions that begin with it."""
        for record in self._consumer.consume(500, 0.2):
            assert record.error() is None
            value = record.value() or b""
            event = pb.SmsEvent.FromString(value)
            known = self.by_id.setdefault(event.event_id, event)
            assert known == event, "two stories under one id"
            assert record.key() == b"%d" % event.customer_id
            self.raw.append(value)
        return True

    def ends(self) -> dict[str, pb.SmsEvent]:
        """How each request ended, as far as its submission goes."""
        last = (pb.SMS_STATUS_SENT, pb.SMS_STATUS_SUPPRESSED, pb.SMS_STATUS_FAILED)
        events = (event for event in self.by_id.values() if event.status in last)
        return {event.request_id: event for event in events if event.reason != pb.SMS_REASON_UNDELIVERABLE}

    def count(self, status: int, reason: int = pb.SMS_REASON_UNSPECIFIED) -> int:
        return sum(event.status == status and event.reason == reason for event in self.by_id.values())

    def close(self) -> None:
        self._consumer.close()


def new_scene(stack: Stack, operator: SmscServer, group_id: str, logs: Path, **settings: str) -> Scene:
    letters = [dead_letter_topic(topic, group_id) for topic in (Topic.CUSTOMERS, Topic.SMS_REQUESTS)]
    create(stack.kafka, [TopicPlan(name, 1, 4 * 1024 * 1024) for name in letters])
    return Scene(stack, operator, group_id, logs, settings)


def read_dead_letters(bootstrap: str, group_id: str) -> dict[str, str]:
    """Topic to stage of each dead letter."""
    topics = [dead_letter_topic(topic, group_id) for topic in (Topic.CUSTOMERS, Topic.SMS_REQUESTS)]
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": f"{group_id}-letters", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe(topics)
    found: dict[str, str] = {}
    deadline = time.monotonic() + DEADLINE_S
    while len(found) < len(topics) and time.monotonic() < deadline:
        for record in consumer.consume(10, 0.5):
            headers = dict(record.headers() or [])
            found[(headers["dlq_topic"] or b"").decode()] = (headers["dlq_stage"] or b"").decode()  # type: ignore[union-attr]
    consumer.close()
    return found
