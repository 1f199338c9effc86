"""Budgets, pure: how much of a campaign may have been given away by now."""

from enum import IntEnum
from typing import NamedTuple

from interlude.contacts.campaign import Campaign, Pacing


class BudgetState(IntEnum):
    """What a campaign has left to give, numbered as on the wire."""

    OPEN = 1
    """There is a discount to give, or no limit."""
    PACED = 2
    """What is left is kept for later."""
    SPENT = 3


class Terms(NamedTuple):
    """What a campaign may give away: `discounts` units evenly over [begins_ms, ends_ms), or all at any time where these
    are None."""

    discounts: int
    begins_ms: int | None = None
    ends_ms: int | None = None


def terms_of(campaign: Campaign) -> Terms | None:
    """The terms of a campaign, None where it has no budget."""
    budget = campaign.budget
    if budget is None:
        return None
    if budget.pacing is Pacing.EVEN:
        return Terms(budget.discounts, campaign.starts_at_ms, campaign.ends_at_ms)
    return Terms(budget.discounts)


def allowance(terms: Terms, now_ms: int) -> int:
    """Units that may have been given by `now_ms`. With pacing each unit has a share of the time, and falls due as it begins: the
    first one with the campaign, the last one while there is still time to give it."""
    if terms.begins_ms is None or terms.ends_ms is None:
        return terms.discounts
    if now_ms < terms.begins_ms:
        return 0
    begun = terms.discounts * (now_ms - terms.begins_ms) // (terms.ends_ms - terms.begins_ms) + 1
    return min(begun, terms.discounts)


def due_ms(terms: Terms, units: int) -> int | None:
    """The first moment by which `units` may have been given, epoch ms; None: at no time, or at any."""
    if terms.begins_ms is None or terms.ends_ms is None or not 0 < units <= terms.discounts:
        return None
    return terms.begins_ms - (-(units - 1) * (terms.ends_ms - terms.begins_ms) // terms.discounts)


def closed_state(terms: Terms, leased: int) -> BudgetState:
    """Why nothing is to be had, `leased` units being given or promised to replicas."""
    return BudgetState.SPENT if leased >= terms.discounts else BudgetState.PACED
