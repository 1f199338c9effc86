"""Whether chance is what the log says of it: realised shares against the probabilities that were to be, and one holdout for
the player, for text messages and for Spark."""

import math
from collections import Counter
from typing import Final

import numpy as np
from pyspark.sql import SparkSession

from bench.measured import Figure
from interlude.contacts.campaign import Arm, Campaign
from interlude.contacts.experiment import assign, chance
from interlude.features.codec import HotFeatures, ProfileFlag
from interlude.features.state import Level
from services.decision.policy import Facts, Reason, Rung, decide

DECISIONS: Final = 1_000_000
_NOW_MS: Final = 1_700_000_000_000
_Z_999: Final = 3.2905
"""Half the width of a 99.9 % interval in standard errors."""

_CAMPAIGN: Final = Campaign(
    campaign_id="chances",
    exploration_rate=0.05,
    holdout_share=0.1,
    arms=(Arm(name="bold", share=0.25, threshold=0.3), Arm(name="plain", share=0.75)),
)
_LISTENER: Final = HotFeatures(
    Level.FREE.value,
    (ProfileFlag.KNOWN | ProfileFlag.ACTIVE | ProfileFlag.CONSENT_PLAYER_OFFERS).value,
    _NOW_MS,
    bytes(24),
)
_MODEL_THRESHOLD: Final = 0.5
_SCORES: Final = (0.2, 0.4, 0.6)
"""Below every threshold, between the two arms', above both."""


def measure() -> dict[str, Figure]:
    """`shares_outside`, `largest_deviation`, `holdouts_that_differ`."""
    deviations = _deviations()
    for what, deviation in deviations.items():
        print(f"{what:40} {deviation:+.2f} standard errors", flush=True)
    under = f"{DECISIONS:,} simulated decisions, {len(deviations)} shares, each in its 99.9 % interval"
    return {
        "shares_outside": Figure(sum(abs(each) > _Z_999 for each in deviations.values()), "shares", under),
        "largest_deviation": Figure(
            round(max(map(abs, deviations.values())), 2), "standard errors", f"limit {_Z_999:.2f}; {under}"
        ),
        "holdouts_that_differ": Figure(
            _holdouts_that_differ(), "customers", f"of {DECISIONS:,}: drawn in Spark and in the services' Python"
        ),
    }


def _deviations() -> dict[str, float]:
    """By share: how many standard errors the realised one is from the one that was to be."""
    asked: Counter[tuple[str, float]] = Counter()
    given: Counter[tuple[str, float, Reason]] = Counter()
    probabilities: dict[tuple[str, float, Reason], float] = {}
    arms: Counter[str] = Counter()
    held_out = 0
    for customer_id in range(DECISIONS):
        assignment = assign(_CAMPAIGN, customer_id)
        score = _SCORES[customer_id % len(_SCORES)]
        drawn = chance(_CAMPAIGN, customer_id, f"q{customer_id}")
        reason, propensity = decide(
            Facts(
                _CAMPAIGN,
                _NOW_MS,
                Rung.FULL,
                _LISTENER,
                (),
                score,
                _MODEL_THRESHOLD,
                assignment=assignment,
                chance=drawn,
            )
        )
        arms[assignment.arm] += 1
        held_out += assignment.holdout
        asked[assignment.arm, score] += 1
        given[assignment.arm, score, reason] += 1
        probabilities[assignment.arm, score, reason] = propensity
    deviations = {f"arm {arm.name}": _deviation(arms[arm.name], DECISIONS, arm.share) for arm in _CAMPAIGN.arms}
    deviations["holdout"] = _deviation(held_out, DECISIONS, _CAMPAIGN.holdout_share)
    for (arm, score, reason), probability in probabilities.items():
        count = given[arm, score, reason]
        deviations[f"{arm}, score {score}: {reason.name}"] = _deviation(count, asked[arm, score], probability)
    return deviations


def _deviation(count: int, trials: int, probability: float) -> float:
    if probability in {0.0, 1.0}:
        return 0.0 if count == trials * probability else math.inf
    return (count - trials * probability) / math.sqrt(trials * probability * (1 - probability))


def _holdouts_that_differ() -> int:
    ours = np.array([assign(_CAMPAIGN, customer_id).holdout for customer_id in range(DECISIONS)])
    spark = SparkSession.builder.master("local[2]").appName("holdout").getOrCreate()
    try:
        campaign = _CAMPAIGN
        theirs = (
            spark.sparkContext.range(DECISIONS)
            .mapPartitions(lambda ids: [[each for each in ids if assign(campaign, each).holdout]])
            .collect()
        )
    finally:
        spark.stop()
    found = np.zeros(DECISIONS, bool)
    for part in theirs:
        found[part] = True
    return int(np.sum(ours != found))
