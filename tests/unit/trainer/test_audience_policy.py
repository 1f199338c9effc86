"""Who is not even scored, and what a request for a text says."""

from dataclasses import replace
from pathlib import Path

import pytest

from interlude.contacts.campaign import Campaign
from interlude.contacts.experiment import assign
from interlude.events.topics import Topic
from interlude.features.state import Level, Profile
from interlude.v1 import events_pb2 as pb
from services.trainer.audience import Member, Verdict
from services.trainer.audience_policy import Reason, exclusion, verdict
from services.trainer.commands import NoSuchAudience, find_campaign, told_to
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


HOLDING_OUT = Campaign(campaign_id="upgrade", holdout_share=0.5)
HELD_OUT = next(number for number in range(100) if assign(HOLDING_OUT, number).holdout)
TREATED = next(number for number in range(100) if not assign(HOLDING_OUT, number).holdout)


@pytest.mark.parametrize(
    ("customer_id", "score", "expected"),
    [
        (TREATED, 0.5, Reason.REQUESTED),
        (TREATED, 0.49, Reason.BELOW_THRESHOLD),
        (TREATED, float("nan"), Reason.BELOW_THRESHOLD),
        (HELD_OUT, 0.5, Reason.HOLDOUT),
        (HELD_OUT, 0.49, Reason.BELOW_THRESHOLD),
    ],
)
def test_verdicts(customer_id: int, score: float, expected: Reason) -> None:
    assert verdict(HOLDING_OUT, customer_id, score, threshold=0.5) is expected


@pytest.mark.parametrize(
    ("campaign_id", "problem"),
    [
        ("", "there is no campaign ''"),
        ("other", "there is no campaign 'other'"),
        ("off", "campaign off is switched off"),
        ("over", "campaign over runs from"),
        ("later", "campaign later runs from"),
    ],
)
def test_nobody_is_scored_where_every_text_would_be_suppressed(tmp_path: Path, campaign_id: str, problem: str) -> None:
    path = tmp_path / "campaigns.yaml"
    path.write_text(
        "campaigns:\n"
        "  - {campaign_id: upgrade, ends_at: 2023-11-15T00:00:00Z}\n"
        "  - {campaign_id: 'off', enabled: false}\n"
        "  - {campaign_id: over, ends_at: 2023-11-14T00:00:00Z}\n"
        "  - {campaign_id: later, starts_at: 2023-11-15T00:00:00Z}\n"
    )
    now_ms = MAILING.requested_at_ms
    assert find_campaign(str(path), "upgrade", now_ms).campaign_id == "upgrade"
    with pytest.raises(NoSuchAudience, match=problem):
        find_campaign(str(path), campaign_id, now_ms)


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


def test_a_file_that_cannot_be_written_is_named_before_anything_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "absent" / "who.csv"
    with pytest.raises(NoSuchAudience, match=f"--who {path} cannot be written: No such file"), told_to(path):
        pass


def test_who_is_texted_and_who_is_not_and_why(tmp_path: Path) -> None:
    path = tmp_path / "who.csv"
    with told_to(path) as tell:
        assert tell is not None
        tell(Verdict(7, 0.25, Reason.REQUESTED))
        tell(Verdict(8, None, Reason.LEVEL))
    assert path.read_text().splitlines() == ["customer_id,score,reason", "7,0.250000,requested", "8,,level"]
    with told_to(None) as tell:
        assert tell is None
