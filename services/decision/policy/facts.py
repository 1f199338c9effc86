"""What a decision is made from. Raw: whatever depends on the time is worked out from `now_ms`, so that it can be moved."""

from typing import NamedTuple

from interlude.contacts.budget import BudgetState
from interlude.contacts.campaign import Campaign, ColdStart
from interlude.contacts.experiment import UNASSIGNED, Assignment
from interlude.features.codec import HotFeatures
from services.decision.policy.reasons import Rung


class Facts(NamedTuple):
    """Everything that a decision is made from."""

    campaign: Campaign
    now_ms: int
    """The moment of the decision, epoch ms."""
    rung: Rung = Rung.FULL
    listener: HotFeatures | None = None
    """None: nothing is known of the customer, or nothing was read; the rung tells which."""
    contact_times: tuple[int, ...] = ()
    """Epoch ms of every contact in the ledger but the one that this very request reserved, in any order."""
    score: float | None = None
    """Click probability; None without model or features."""
    model_threshold: float | None = None
    """The model's own; None without model."""
    next_track_id: int = 0
    """The track about to play; 0: not known."""
    budget: BudgetState = BudgetState.OPEN
    assignment: Assignment = UNASSIGNED
    chance: float = 1.0
    """In [0, 1]: an answer below the threshold is explored where this is less than the campaign's rate."""


def by_prior(facts: Facts) -> bool:
    """Whether the campaign decides without a profile or a score."""
    return facts.campaign.cold_start is ColdStart.PRIOR


def threshold(facts: Facts) -> float:
    """The click probability from which the offer is shown: the arm's, else the model's, else the campaign's for its prior."""
    own = facts.assignment.threshold
    if own is not None:
        return own
    if facts.model_threshold is not None:
        return facts.model_threshold
    return facts.campaign.prior_threshold


def click_probability(facts: Facts) -> float | None:
    """The score, else the campaign's prior where it decides by that, else None."""
    if facts.score is not None:
        return facts.score
    return facts.campaign.prior_click_probability if by_prior(facts) else None


def is_below(facts: Facts) -> bool:
    """Whether there is a click probability and it is below the threshold."""
    probability = click_probability(facts)
    # Not `probability < threshold`: a score that is not a number is no reason to show anything.
    return probability is not None and not probability >= threshold(facts)


def is_explored(facts: Facts) -> bool:
    """Whether chance shows the offer although it is below the threshold."""
    return facts.chance < facts.campaign.exploration_rate
