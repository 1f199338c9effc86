"""From facts to an answer, with the probability that it had."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from interlude.contacts.campaign import Campaign
from services.decision.policy.customer_rules import CUSTOMER_RULES, is_ordinary
from services.decision.policy.facts import Facts, is_below
from services.decision.policy.reasons import Reason
from services.decision.policy.rule import Matches, Rule
from services.decision.policy.rules import RULES
from services.decision.policy.score_rules import HOLDOUT, LOW_SCORE

CERTAIN: Final = 1.0
"""The propensity of an answer in which no chance was involved."""


class Verdict(NamedTuple):
    """An answer. `propensity` is the probability with which this arm gives it here."""

    reason: Reason
    propensity: float


_Steps = tuple[tuple[Matches, Verdict], ...]


class _Course(NamedTuple):
    """What deciding needs of a campaign: the rules that can match at all, and what may follow them."""

    campaign: Campaign
    all_steps: _Steps
    ordinary_steps: _Steps
    """Without those that cannot match where `is_ordinary`."""
    shown: tuple[Verdict, Verdict]
    """At or above the threshold: not held out, held out."""
    explored: tuple[Verdict, Verdict] | None
    """Below the threshold, and explored: not held out, held out; None where nothing is explored."""


def decide(facts: Facts) -> Verdict:
    """The reason of the first rule that matches, `EXPLORED` or `SHOW` when none does."""
    _, all_steps, ordinary_steps, shown, explored = _course(facts.campaign)
    for matches, verdict in ordinary_steps if is_ordinary(facts) else all_steps:
        if matches(facts):
            return verdict
    outcomes = shown if explored is None or not is_below(facts) else explored
    return outcomes[facts.assignment.holdout]


def _follow(campaign: Campaign) -> _Course:
    """The propensities: a share e of the answers below the threshold is explored, and of whatever is to be shown a share h is
    withheld, independently of one another and of everything that the rules before look at."""
    e, h = campaign.exploration_rate, campaign.holdout_share
    rules = [rule for rule in RULES if rule is not HOLDOUT and rule.concerns(campaign)]
    return _Course(
        campaign,
        _steps(rules, campaign),
        _steps([rule for rule in rules if rule not in CUSTOMER_RULES], campaign),
        (Verdict(Reason.SHOW, 1 - h), Verdict(Reason.HOLDOUT, h)),
        (Verdict(Reason.EXPLORED, e * (1 - h)), Verdict(Reason.HOLDOUT, e * h)) if e else None,
    )


def _steps(rules: Sequence[Rule], campaign: Campaign) -> _Steps:
    return tuple(
        (
            rule.quick(campaign) if rule.quick else rule.matches,
            Verdict(rule.reason, 1 - campaign.exploration_rate if rule is LOW_SCORE else CERTAIN),
        )
        for rule in rules
    )


_COURSES: Final[dict[int, _Course]] = {}
"""By the identity of the campaign, which its course keeps alive: hashing one takes longer than deciding."""
_COURSES_KEPT: Final = 4096
"""Four documents full of campaigns."""


def _course(campaign: Campaign) -> _Course:
    found = _COURSES.get(id(campaign))
    if found is not None:
        return found
    if len(_COURSES) >= _COURSES_KEPT:
        _COURSES.clear()
    return _COURSES.setdefault(id(campaign), _follow(campaign))
