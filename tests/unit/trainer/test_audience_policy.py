"""Who is not even scored, and what a request for a text says."""

from dataclasses import replace

import pytest

from interlude.events.topics import Topic
from interlude.features.state import Level, Profile
from interlude.v1 import events_pb2 as pb
from services.trainer.audience import Member
from services.trainer.audience_policy import Reason, exclusion
from services.trainer.sms_requests import FLUSH_EVERY, Mailing, write_requests

GOOD = Profile(1, Level.FREE, active=True, consent_player_offers=False, consent_sms=True)
MAILING = Mailing("upgrade", "v1", requested_at_ms=1_700_000_000_000, expires_at_ms=1_700_000_100_000)


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        (GOOD, None),
        (replace(GOOD, level=Level.SILVER), None),
        (None, Reason.UNKNOWN_CUSTOMER),
        (replace(GOOD, active=False), Reason.INACTIVE),
        (replace(GOOD, level=Level.GOLD), Reason.LEVEL),
        (replace(GOOD, level=Level.UNKNOWN), Reason.LEVEL),
        (replace(GOOD, consent_sms=False), Reason.NO_CONSENT),
    ],
)
def test_exclusions(profile: Profile | None, expected: Reason | None) -> None:
    assert exclusion(profile) is expected


class RecordingProducer:
    """Keeps what it is given, and when it was flushed."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes | None, bytes | None]] = []
        self.flushed_after: list[int] = []

    def send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: list[tuple[str, str | bytes | None]] | None = None,
    ) -> bool:
        """Keep one record."""
        assert headers
        self.sent.append((topic, key, value))
        return True

    def flush(self, timeout_seconds: float) -> None:
        """Remember how many records there were."""
        assert timeout_seconds > 0
        self.flushed_after.append(len(self.sent))


def test_requests_are_keyed_by_customer_and_named_by_campaign() -> None:
    producer = RecordingProducer()
    assert write_requests(producer, [Member(7, 0.75)], MAILING) == 1
    topic, key, value = producer.sent[0]
    assert (topic, key) == (Topic.SMS_REQUESTS, b"7")
    assert pb.SmsRequest.FromString(value or b"") == pb.SmsRequest(
        request_id="upgrade/7",
        customer_id=7,
        campaign_id="upgrade",
        requested_at_ms=MAILING.requested_at_ms,
        expires_at_ms=MAILING.expires_at_ms,
        score=0.75,
        model_version="v1",
    )


def test_a_large_audience_waits_for_kafka_now_and_then() -> None:
    producer = RecordingProducer()
    members = [Member(customer_id, 0.5) for customer_id in range(FLUSH_EVERY + 1)]
    assert write_requests(producer, members, MAILING) == FLUSH_EVERY + 1
    assert producer.flushed_after == [FLUSH_EVERY, FLUSH_EVERY + 1]
