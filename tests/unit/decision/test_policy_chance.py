"""Propensities: what the policy says of its chances is what happens."""

import math
from collections import Counter

import pytest

from interlude.contacts.campaign import Arm, Campaign
from interlude.contacts.experiment import Assignment, assign, chance
from interlude.features.codec import HotFeatures, ProfileFlag
from interlude.features.state import Level
from services.decision.policy import Facts, Reason, decide

_FLAGS = ProfileFlag.KNOWN | ProfileFlag.ACTIVE | ProfileFlag.CONSENT_PLAYER_OFFERS
_LISTENER = HotFeatures(Level.FREE, _FLAGS, None, bytes(24))
_CAMPAIGN = Campaign(
    campaign_id="chances",
    exploration_rate=0.05,
    holdout_share=0.1,
    arms=(Arm(name="bold", share=0.25, threshold=0.3), Arm(name="plain", share=0.75)),
)
_LIMIT = 3.2905
"""Half the width of a 99.9 % interval in standard errors."""


def _facts(score: float, *, drawn: float = 1.0, assignment: Assignment | None = None) -> Facts:
    return Facts(
        _CAMPAIGN,
        0,
        listener=_LISTENER,
        score=score,
        model_threshold=0.5,
        assignment=assignment or Assignment(),
        chance=drawn,
    )


@pytest.mark.parametrize(
    ("score", "drawn", "holdout", "reason", "propensity"),
    [
        (0.2, 0.05, False, Reason.LOW_SCORE, 0.95),
        (0.2, 0.05, True, Reason.LOW_SCORE, 0.95),
        (0.2, 0.049, False, Reason.EXPLORED, 0.05 * 0.9),
        (0.2, 0.049, True, Reason.HOLDOUT, 0.05 * 0.1),
        (0.5, 0.049, False, Reason.SHOW, 0.9),
        (0.5, 0.049, True, Reason.HOLDOUT, 0.1),
        (0.5, 0.5, False, Reason.SHOW, 0.9),
    ],
)
def test_a_propensity_is_the_chance_of_its_answer(
    score: float, drawn: float, holdout: bool, reason: Reason, propensity: float
) -> None:
    verdict = decide(_facts(score, drawn=drawn, assignment=Assignment(holdout=holdout)))
    assert verdict.reason is reason
    assert verdict.propensity == pytest.approx(propensity, rel=1e-12)


@pytest.mark.parametrize("score", [0.2, 0.4, 0.6])
@pytest.mark.parametrize("arm", _CAMPAIGN.arms)
def test_the_propensities_of_a_question_add_up_to_one(arm: Arm, score: float) -> None:
    verdicts = {
        decide(_facts(score, drawn=drawn, assignment=Assignment(arm.name, arm.threshold, holdout)))
        for drawn in (0.0, 0.9)
        for holdout in (False, True)
    }
    # One reason may come about in one way only, so its propensity is told once.
    assert len({verdict.reason for verdict in verdicts}) == len(verdicts)
    assert sum(verdict.propensity for verdict in verdicts) == pytest.approx(1, rel=1e-12)


def test_realised_shares_are_the_propensities() -> None:
    """210,000 simulated decisions: every share of arms, holdout and answers within its 99.9 % interval."""
    customers = 210_000
    arms: Counter[str] = Counter()
    asked: Counter[tuple[str, float]] = Counter()
    given: Counter[tuple[str, float, Reason]] = Counter()
    propensities: dict[tuple[str, float, Reason], float] = {}
    held_out = 0
    for customer_id in range(customers):
        assignment = assign(_CAMPAIGN, customer_id)
        score = (0.2, 0.4, 0.6)[customer_id % 3]
        verdict = decide(_facts(score, drawn=chance(_CAMPAIGN, customer_id, f"q{customer_id}"), assignment=assignment))
        arms[assignment.arm] += 1
        held_out += assignment.holdout
        asked[assignment.arm, score] += 1
        given[assignment.arm, score, verdict.reason] += 1
        propensities[assignment.arm, score, verdict.reason] = verdict.propensity
    for arm in _CAMPAIGN.arms:
        _check(arms[arm.name], customers, arm.share)
    _check(held_out, customers, 0.1)
    for (name, score, reason), propensity in propensities.items():
        _check(given[name, score, reason], asked[name, score], propensity)


def _check(count: int, trials: int, probability: float) -> None:
    deviation = (count - trials * probability) / math.sqrt(trials * probability * (1 - probability))
    assert abs(deviation) <= _LIMIT, (count, trials, probability)
