"""Answers for tests of what becomes of them, made without an engine, and stand-ins for what takes them."""

from dataclasses import dataclass
from typing import Final

from interlude.contacts.campaign import DEFAULT_CAMPAIGNS, Campaign, Campaigns
from services.decision.answers import Answer, Question
from services.decision.decision_log import DecisionLog
from services.decision.policy import Facts, Reason
from services.decision.responses import Decision, to_decision

NOW_MS: Final = 1_700_000_000_000
CAMPAIGN: Final = Campaign(campaign_id="premium-day")


def answer(customer_id: int = 1, reason: Reason = Reason.UNKNOWN_CUSTOMER) -> Answer:
    """An answer about one customer, of whom nothing is known."""
    question = Question("r", customer_id, CAMPAIGN, campaigns_version="c1")
    return Answer(question, reason, Facts(CAMPAIGN, NOW_MS), 1.0, "v", NOW_MS)


def decision(customer_id: int = 1, reason: Reason = Reason.UNKNOWN_CUSTOMER) -> Decision:
    """The same, answered; its request is no message that anybody could read."""
    return to_decision(b"", answer(customer_id, reason))


def unwritten_log() -> DecisionLog:
    """A decision log that nobody writes."""
    return DecisionLog(
        None, service_version="1", on_dropped=lambda _topic, _count: None, on_spilled=lambda _topic: None
    )


@dataclass
class FakeCampaigns:
    """Campaigns that a test may replace."""

    current: Campaigns = DEFAULT_CAMPAIGNS
