"""All rules, in the order in which they are applied."""

from typing import Final

from services.decision.policy.campaign_rules import BUDGET_SPENT, CAMPAIGN_ENDED, PACED, SWITCHED_OFF
from services.decision.policy.contact_rules import FREQUENCY_CAP, LISTENING_HOUR, MINIMUM_GAP
from services.decision.policy.customer_rules import CUSTOMER_RULES
from services.decision.policy.moment_rules import COOL_DOWN, FIRST_TRACKS, IN_STREAK
from services.decision.policy.rule import Rule
from services.decision.policy.score_rules import HOLDOUT, LOW_SCORE, NO_SCORE

RULES: Final[tuple[Rule, ...]] = (
    SWITCHED_OFF,
    *CUSTOMER_RULES,
    COOL_DOWN,
    FREQUENCY_CAP,
    MINIMUM_GAP,
    LISTENING_HOUR,
    FIRST_TRACKS,
    IN_STREAK,
    CAMPAIGN_ENDED,
    BUDGET_SPENT,
    PACED,
    NO_SCORE,
    LOW_SCORE,
    HOLDOUT,
)
"""The first that matches is the answer. The reservation that follows checks the caps once more, atomically.

The holdout comes last: its customers are decided like all others, and only what would have been shown is withheld, so that lift
is measured on those who would have seen the offer.
"""
