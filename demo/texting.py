"""What became of the audience: the life of every request to text somebody, from the topics, and the operator's own book."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self

from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition

from demo.listeners import PHONE_PREFIX
from devstack.smsc.record import AcceptedMessage
from interlude.events.reading import content_type_of, parse
from interlude.events.topics import Topic
from interlude.v1 import events_pb2 as pb

_POLL_SECONDS: Final = 0.1
_BATCH: Final = 1000
_METADATA_SECONDS: Final = 10.0
_STALLED_SECONDS: Final = 10.0
_FINAL: Final = frozenset({pb.SMS_STATUS_DELIVERED, pb.SMS_STATUS_FAILED, pb.SMS_STATUS_SUPPRESSED})


@dataclass(slots=True)
class Texted:
    """Requests and how far each has come: sets of request ids by status, and why some were suppressed or failed."""

    requested: set[str] = field(default_factory=set)
    by_status: dict[int, set[str]] = field(default_factory=dict)
    reasons: dict[int, Counter[str]] = field(default_factory=dict)

    def take_request(self, request: pb.SmsRequest) -> None:
        """One more request; a repeated one counts once."""
        self.requested.add(request.request_id)

    def take_event(self, event: pb.SmsEvent) -> None:
        """One more step of a request; a repeated one counts once."""
        known = self.by_status.setdefault(event.status, set())
        if event.request_id in known:
            return
        known.add(event.request_id)
        if event.status in (pb.SMS_STATUS_SUPPRESSED, pb.SMS_STATUS_FAILED):
            reason = pb.SmsReason.Name(event.reason).removeprefix("SMS_REASON_").lower()
            self.reasons.setdefault(event.status, Counter())[reason] += 1

    def count(self, status: int) -> int:
        """Requests that have come to `status`."""
        return len(self.by_status.get(status, ()))

    @property
    def finished(self) -> int:
        """Requests that nothing more will happen to."""
        return len(set().union(*(self.by_status.get(status, ()) for status in _FINAL)))

    def to_summary(self) -> dict[str, Any]:
        """The summary's part."""
        return {
            "requested": len(self.requested),
            "sent": self.count(pb.SMS_STATUS_SENT),
            "delivered": self.count(pb.SMS_STATUS_DELIVERED),
            "suppressed": dict(self.reasons.get(pb.SMS_STATUS_SUPPRESSED, Counter())),
        }


class TextingWatcher:
    """Reads both topics from their beginning, without a group. Use it in a `with` block."""

    def __init__(self, bootstrap: str) -> None:
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "demo-texting",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 20,
            },
            logger=logging.getLogger("kafka"),
        )
        self.texted = Texted()
        metadata = self._consumer.list_topics(timeout=_METADATA_SECONDS).topics
        self._partitions = [
            TopicPartition(topic, partition, OFFSET_BEGINNING)
            for topic in (Topic.SMS_REQUESTS, Topic.SMS_EVENTS)
            for partition in metadata[topic].partitions
        ]
        self._consumer.assign(self._partitions)

    def wait_until_finished(self, requests: int, tell: Callable[[str], None]) -> Texted:
        """Read until `requests` requests were seen and all are finished, or until nothing has happened for a while."""
        progressed = time.monotonic()
        while len(self.texted.requested) < requests or self.texted.finished < len(self.texted.requested):
            if self._read():
                progressed = time.monotonic()
                tell(f"{self.texted.finished:,} of {requests:,} finished")
            elif time.monotonic() - progressed > _STALLED_SECONDS:
                break
        return self.texted

    def read_rest(self) -> Texted:
        """Read what is there now."""
        while self._read():
            pass
        return self.texted

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._consumer.close()

    def _read(self) -> bool:
        records = [record for record in self._consumer.consume(_BATCH, _POLL_SECONDS) if record.error() is None]
        for record in records:
            self._take(record)
        return bool(records)

    def _take(self, record: Message) -> None:
        value, content_type = record.value() or b"", content_type_of(record.headers())
        if record.topic() == Topic.SMS_REQUESTS:
            self.texted.take_request(parse(pb.SmsRequest, value, content_type))
        else:
            self.texted.take_event(parse(pb.SmsEvent, value, content_type))


def wrongly_texted(messages: Iterable[AcceptedMessage], customers: Mapping[int, pb.Customer]) -> list[str]:
    """What the operator's book has that it must not have: a sentence per kind of wrong. Empty: all is well."""
    numbers = Counter(message.destination for message in messages)
    texted = [customers[customer_id] for number in numbers if (customer_id := _customer_id(number)) in customers]
    found = {
        "numbers were texted more than once": sum(count > 1 for count in numbers.values()),
        "numbers belong to nobody": len(numbers) - len(texted),
        "Gold customers were texted": sum(customer.level == pb.LEVEL_GOLD for customer in texted),
        "customers were texted who had opted out": sum(not customer.consent_sms for customer in texted),
        "customers with a closed account were texted": sum(not customer.active for customer in texted),
    }
    return [f"{count} {wrong}" for wrong, count in found.items() if count]


def _customer_id(number: str) -> int:
    digits = number.lstrip("+").removeprefix(PHONE_PREFIX.lstrip("+"))
    return int(digits) if digits.isdigit() else -1
