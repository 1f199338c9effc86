"""From an audience to records on `sms-requests`."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from interlude.events.topics import Topic
from interlude.events.writing import to_record
from interlude.v1 import events_pb2 as pb
from services.trainer.audience import Member

SOURCE: Final = "interlude/trainer"
FLUSH_EVERY: Final = 10_000
"""Requests between two waits for Kafka: well below what the producer's queue takes."""

_FLUSH_SECONDS: Final = 30.0
_Headers = list[tuple[str, str | bytes | None]]


class Producer(Protocol):
    """What is needed of `interlude.servicekit.producing.RecordProducer`."""

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: _Headers | None = None) -> bool:
        """Queue one record; False when it was dropped."""

    def flush(self, timeout_seconds: float) -> None:
        """Wait until everything queued is in Kafka."""


@dataclass(frozen=True, slots=True)
class Mailing:
    """What all requests of one audience have in common; times in epoch ms."""

    campaign_id: str
    model_version: str
    requested_at_ms: int
    expires_at_ms: int


def write_requests(producer: Producer, members: Iterable[Member], mailing: Mailing) -> int:
    """Ask for one text per member; returns how many requests are in Kafka. Raises `Unavailable`."""
    written = 0
    for member in members:
        request = to_request(member, mailing)
        record = to_record(
            request,
            customer_id=member.customer_id,
            event_id=request.request_id,
            at_ms=mailing.requested_at_ms,
            source=SOURCE,
        )
        producer.send(Topic.SMS_REQUESTS, record.key, record.value, [*record.headers])
        written += 1
        if written % FLUSH_EVERY == 0:
            producer.flush(_FLUSH_SECONDS)
    producer.flush(_FLUSH_SECONDS)
    return written


def to_request(member: Member, mailing: Mailing) -> pb.SmsRequest:
    """The request for one member; its id is the same whenever it is asked for again."""
    return pb.SmsRequest(
        request_id=f"{mailing.campaign_id}/{member.customer_id}",
        customer_id=member.customer_id,
        campaign_id=mailing.campaign_id,
        requested_at_ms=mailing.requested_at_ms,
        expires_at_ms=mailing.expires_at_ms,
        score=member.score,
        model_version=mailing.model_version,
    )
