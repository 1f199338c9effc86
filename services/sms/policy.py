"""Whether a customer may be texted: pure."""

from dataclasses import dataclass
from enum import IntEnum

from interlude.contacts.campaign import Campaign
from interlude.contacts.experiment import assign
from interlude.features.state import Level


class Reason(IntEnum):
    """Why a message was not sent or did not arrive, numbered as on the wire."""

    NONE = 0
    UNKNOWN_CUSTOMER = 1
    INACTIVE = 2
    LEVEL = 3
    NO_CONSENT = 4
    NO_PHONE = 5
    ALREADY_SENT = 6
    FREQUENCY_CAP = 7
    EXPIRED = 8
    UNKNOWN_CAMPAIGN = 9
    """There is no such campaign, its kill switch is off, or this is not its time."""
    OPERATOR_REFUSED = 10
    UNDELIVERABLE = 11
    UNCERTAIN = 12
    BUDGET_SPENT = 13
    """No unit of the budget is left, or none is due by now."""
    HOLDOUT = 14
    """The customer is among those who get nothing, so that the effect of the offer can be measured."""


@dataclass(frozen=True, slots=True)
class TextRequest:
    """One checked request. `expires_at_ms` is epoch ms, 0: never."""

    request_id: str
    customer_id: int
    campaign_id: str
    expires_at_ms: int


@dataclass(frozen=True, slots=True)
class TextProfile:
    """What is known of a customer. `sealed_phone` is the encrypted number, empty where there is none."""

    updated_at_ms: int
    level: Level
    active: bool
    consent_sms: bool
    sealed_phone: bytes


def judge(request: TextRequest, campaign: Campaign | None, profile: TextProfile | None, now_ms: int) -> Reason:
    """The first rule that speaks against sending, `NONE` where only budget and ledger are left to ask.

    `HOLDOUT` is the last one: whoever it stops would have been texted, as far as the rules go.
    """
    if request.expires_at_ms and request.expires_at_ms < now_ms:
        return Reason.EXPIRED
    if campaign is None or not campaign.enabled or not campaign.is_running(now_ms):
        return Reason.UNKNOWN_CAMPAIGN
    if profile is None:
        return Reason.UNKNOWN_CUSTOMER
    if not profile.active:
        return Reason.INACTIVE
    if profile.level is Level.GOLD:
        return Reason.LEVEL
    if not profile.consent_sms:
        return Reason.NO_CONSENT
    if not profile.sealed_phone:
        return Reason.NO_PHONE
    return Reason.HOLDOUT if assign(campaign, request.customer_id).holdout else Reason.NONE
