"""Whom to text: one answer per customer. Pure.

Level, consent and activity are looked at here only to spare `services/sms` requests that it would suppress: it applies
them again, on the newest profile.
"""

from enum import StrEnum
from typing import Final

from interlude.contacts.campaign import Campaign
from interlude.contacts.experiment import assign
from interlude.features.state import Level, Profile

BELOW_GOLD: Final = frozenset({Level.FREE, Level.SILVER})
"""Gold has what the offer sells; of an unknown level nobody can tell."""


class Reason(StrEnum):
    """Why a customer is in the audience or is not; the value is the name in reports."""

    REQUESTED = "requested"
    UNKNOWN_CUSTOMER = "unknown_customer"
    INACTIVE = "inactive"
    LEVEL = "level"
    NO_CONSENT = "no_consent"
    BELOW_THRESHOLD = "below_threshold"
    HOLDOUT = "holdout"
    """Would have been requested; gets nothing, so that the effect of the offer can be measured."""
    OVER_LIMIT = "over_limit"


def exclusion(profile: Profile | None) -> Reason | None:
    """Why a customer is not even scored; None: is."""
    if profile is None:
        return Reason.UNKNOWN_CUSTOMER
    if not profile.active:
        return Reason.INACTIVE
    if profile.level not in BELOW_GOLD:
        return Reason.LEVEL
    if not profile.consent_sms:
        return Reason.NO_CONSENT
    return None


def verdict(campaign: Campaign, customer_id: int, score: float, threshold: float) -> Reason:
    """What becomes of a customer who was scored: below the threshold, held out as in the player and by SMS, or requested."""
    if not score >= threshold:
        return Reason.BELOW_THRESHOLD
    return Reason.HOLDOUT if assign(campaign, customer_id).holdout else Reason.REQUESTED
