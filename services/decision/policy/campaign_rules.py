"""Rules about the campaign itself, whoever listens."""

from typing import Final

from interlude.contacts.budget import BudgetState
from interlude.contacts.campaign import Campaign
from services.decision.policy.changes import BUDGET, Change, Way, campaign_change, wait_until
from services.decision.policy.facts import Facts
from services.decision.policy.reasons import Reason, Rung
from services.decision.policy.rule import Rule
from services.decision.policy.texts import moment

_SECOND_MS: Final = 1000
_SPENT: Final = BudgetState.SPENT
_PACED: Final = BudgetState.PACED


def _is_not_running(facts: Facts) -> bool:
    now_ms, starts_at_ms, ends_at_ms = facts.now_ms, facts.campaign.starts_at_ms, facts.campaign.ends_at_ms
    return (starts_at_ms is not None and now_ms < starts_at_ms) or (ends_at_ms is not None and now_ms >= ends_at_ms)


def _times_text(facts: Facts) -> str:
    starts_at_ms, ends_at_ms = facts.campaign.starts_at_ms, facts.campaign.ends_at_ms
    begin = "always" if starts_at_ms is None else f"since {moment(starts_at_ms)}"
    end = "" if ends_at_ms is None else f", until {moment(ends_at_ms)}"
    return f"it is {moment(facts.now_ms)}; the campaign runs {begin}{end}"


def _times_ways(facts: Facts) -> tuple[Way, ...]:
    starts_at_ms = facts.campaign.starts_at_ms
    if starts_at_ms is not None and facts.now_ms < starts_at_ms:
        return ((wait_until(starts_at_ms, facts),),)
    later = moment((facts.now_ms // _SECOND_MS + 1) * _SECOND_MS)
    return ((campaign_change("ends_at", later, f"end the campaign later than now: ends_at {later}"),),)


def _budget_text(facts: Facts) -> str:
    budget = facts.campaign.budget
    given = "no limit" if budget is None else f"{budget.discounts} discounts, pacing {budget.pacing.value}"
    return f"{given}; now {facts.budget.name.lower()}"


SWITCHED_OFF: Final = Rule(
    Reason.SWITCHED_OFF,
    lambda facts: not facts.campaign.enabled,
    lambda facts: f"campaign {facts.campaign.campaign_id} is {'on' if facts.campaign.enabled else 'off'}",
    lambda _facts: ((campaign_change("enabled", True, "switch the campaign on"),),),
    "the campaign's kill switch",
    "switch the campaign on",
    ("enabled",),
    tuple(Rung),
    lambda campaign: not campaign.enabled,
)


def _has_times(campaign: Campaign) -> bool:
    return campaign.starts_at is not None or campaign.ends_at is not None


CAMPAIGN_ENDED: Final = Rule(
    Reason.CAMPAIGN_ENDED,
    _is_not_running,
    _times_text,
    _times_ways,
    "the time, with the campaign's begin and end",
    "wait for the begin; a campaign that has ended needs another end",
    ("starts_at", "ends_at"),
    concerns=_has_times,
)
BUDGET_SPENT: Final = Rule(
    Reason.BUDGET_SPENT,
    lambda facts: facts.budget is _SPENT,
    _budget_text,
    lambda _facts: ((Change(BUDGET, BudgetState.OPEN.name, "raise budget.discounts: all are promised"),),),
    "whether a discount is left to promise",
    "raise budget.discounts",
    ("budget",),
)
PACED: Final = Rule(
    Reason.PACED,
    lambda facts: facts.budget is _PACED,
    _budget_text,
    lambda _facts: (
        (Change(BUDGET, BudgetState.OPEN.name, "the next discount has to fall due; raise budget.discounts for more"),),
    ),
    "whether the discounts that belong to the time gone by are all promised",
    "the next discount has to fall due, or budget.discounts to be raised",
    ("budget",),
)
