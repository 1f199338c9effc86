"""The rules, in their order."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from interlude.contacts.campaign import Campaign
from interlude.contacts.experiment import assign
from interlude.features.state import Level
from interlude.v1 import events_pb2 as pb
from services.sms.journal import Status
from services.sms.policy import Reason, TextProfile, TextRequest, judge

NOW_MS = 1_700_000_000_000
CAMPAIGN = Campaign(campaign_id="premium-day")
SWITCHED_OFF = Campaign(campaign_id="premium-day", enabled=False)
TODAY = {
    "starts_at": datetime.fromtimestamp(NOW_MS / 1000, UTC),
    "ends_at": datetime.fromtimestamp(NOW_MS / 1000 + 1, UTC),
}
TIMED = Campaign.model_validate({"campaign_id": "premium-day", **TODAY})
HELD_OUT = next(
    number for number in range(1, 100) if assign(Campaign(campaign_id="premium-day", holdout_share=0.5), number).holdout
)
WITH_HOLDOUT = Campaign(campaign_id="premium-day", holdout_share=0.5)
REQUEST = TextRequest("premium-day/7", 7, "premium-day", expires_at_ms=0)
EXPIRED = replace(REQUEST, expires_at_ms=NOW_MS - 1)
GOOD = TextProfile(1, Level.FREE, active=True, consent_sms=True, sealed_phone=b"sealed")
# Everything speaks against this one; each rule's case repairs what the rules before it look at.
WORST = TextProfile(1, Level.GOLD, active=False, consent_sms=False, sealed_phone=b"")
ACTIVE = replace(WORST, active=True)
SILVER = replace(ACTIVE, level=Level.SILVER)
CONSENTING = replace(SILVER, consent_sms=True)


@pytest.mark.parametrize(
    ("request_", "campaign", "profile", "reason"),
    [
        (EXPIRED, None, None, Reason.EXPIRED),
        (REQUEST, None, None, Reason.UNKNOWN_CAMPAIGN),
        (REQUEST, SWITCHED_OFF, None, Reason.UNKNOWN_CAMPAIGN),
        (REQUEST, CAMPAIGN, None, Reason.UNKNOWN_CUSTOMER),
        (REQUEST, CAMPAIGN, WORST, Reason.INACTIVE),
        (REQUEST, CAMPAIGN, ACTIVE, Reason.LEVEL),
        (REQUEST, CAMPAIGN, SILVER, Reason.NO_CONSENT),
        (REQUEST, CAMPAIGN, CONSENTING, Reason.NO_PHONE),
        (REQUEST, CAMPAIGN, GOOD, Reason.NONE),
        (replace(REQUEST, expires_at_ms=NOW_MS), CAMPAIGN, GOOD, Reason.NONE),
        (replace(REQUEST, customer_id=HELD_OUT), WITH_HOLDOUT, GOOD, Reason.HOLDOUT),
        (replace(REQUEST, customer_id=HELD_OUT), WITH_HOLDOUT, CONSENTING, Reason.NO_PHONE),
        (replace(REQUEST, customer_id=HELD_OUT), CAMPAIGN, GOOD, Reason.NONE),
    ],
)
def test_the_first_rule_that_speaks_against_it_decides(
    request_: TextRequest, campaign: Campaign | None, profile: TextProfile | None, reason: Reason
) -> None:
    assert judge(request_, campaign, profile, NOW_MS) is reason


@pytest.mark.parametrize(
    ("now_ms", "reason"),
    [
        (NOW_MS - 1, Reason.UNKNOWN_CAMPAIGN),
        (NOW_MS, Reason.NONE),
        (NOW_MS + 999, Reason.NONE),
        (NOW_MS + 1000, Reason.UNKNOWN_CAMPAIGN),
    ],
)
def test_a_campaign_has_its_time(now_ms: int, reason: Reason) -> None:
    assert judge(REQUEST, TIMED, GOOD, now_ms) is reason


def test_reasons_and_statuses_are_numbered_as_on_the_wire() -> None:
    reasons = {name.removeprefix("SMS_REASON_"): number for name, number in pb.SmsReason.items()}
    assert {("UNSPECIFIED" if reason is Reason.NONE else reason.name): int(reason) for reason in Reason} == reasons
    statuses = {name.removeprefix("SMS_STATUS_"): number for name, number in pb.SmsStatus.items() if number}
    assert {status.name: int(status) for status in Status if status is not Status.SUBMITTING} == statuses
