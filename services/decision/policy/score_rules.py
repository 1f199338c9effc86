"""Rules about how likely a click is, and the draw of the experiment."""

from typing import Final

from interlude.contacts.campaign import Campaign
from services.decision.policy.changes import SCORE, Change, Way, campaign_change
from services.decision.policy.facts import Facts, by_prior, click_probability, is_below, is_explored, threshold
from services.decision.policy.reasons import UNREAD, Reason, Rung
from services.decision.policy.rule import Matches, Rule
from services.decision.policy.texts import yes_no


def _has_no_probability(facts: Facts) -> bool:
    return facts.score is None and not by_prior(facts)


def _model_text(facts: Facts) -> str:
    if facts.score is not None:
        return "the model was asked"
    if facts.rung in UNREAD:
        return "nothing was read that could be scored"
    missing = "no model is loaded" if facts.model_threshold is None else "no features to score"
    return f"{missing}; decided by the prior" if by_prior(facts) else missing


def _no_probability_ways(facts: Facts) -> tuple[Way, ...]:
    missing = "a model has to be promoted" if facts.model_threshold is None else "features have to be known"
    low = threshold(facts)
    return (
        (campaign_change("cold_start", "prior", "decide without a score by the prior: cold_start prior"),),
        (Change(SCORE, low, f"{missing}, and give a score of at least {low:.4f}"),),
    )


def _is_low(facts: Facts) -> bool:
    return is_below(facts) and not is_explored(facts)


def _low_score(campaign: Campaign) -> Matches:
    rate = campaign.exploration_rate

    def matches(facts: Facts) -> bool:
        score, own = facts.score, facts.assignment.threshold
        least = facts.model_threshold if own is None else own
        if score is None or least is None:
            return _is_low(facts)
        return not score >= least and not facts.chance < rate

    return matches


def _score_text(facts: Facts) -> str:
    probability = click_probability(facts)
    name = "prior" if facts.score is None else "score"
    score = "no score" if probability is None else f"{name} {probability:.4f}"
    rate = facts.campaign.exploration_rate
    explored = f", explored where chance {facts.chance:.4f} is below {rate:.4f}" if rate else ""
    return f"{score}, threshold {threshold(facts):.4f}{explored}"


def _low_ways(facts: Facts) -> tuple[Way, ...]:
    low = threshold(facts)
    if facts.score is not None:
        return ((Change(SCORE, low, f"a score of at least {low:.4f}"),),)
    text = f"raise prior_click_probability to the threshold {low:.4f}"
    return ((campaign_change("prior_click_probability", low, text),),)


NO_SCORE: Final = Rule(
    Reason.UNAVAILABLE,
    _has_no_probability,
    _model_text,
    _no_probability_ways,
    "whether there is a score, or a prior to decide by",
    "a model has to be promoted, features to be known, or the campaign to decide by its prior",
    ("cold_start",),
    (Rung.NO_MODEL, Rung.FULL),
)
LOW_SCORE: Final = Rule(
    Reason.LOW_SCORE,
    _is_low,
    _score_text,
    _low_ways,
    "the score, or the prior, with the threshold of the arm, the model or the prior, the first there is; chance where explored",
    "a higher score",
    ("arms", "prior_click_probability", "prior_threshold", "exploration_rate"),
    (Rung.FULL, Rung.PRIOR),
    quick=_low_score,
)
HOLDOUT: Final = Rule(
    Reason.HOLDOUT,
    lambda facts: facts.assignment.holdout,
    lambda facts: f"in the holdout: {yes_no(facts.assignment.holdout)}, share {facts.campaign.holdout_share:.4f}",
    lambda _facts: ((campaign_change("holdout_share", 0.0, "end the holdout for everybody: holdout_share 0"),),),
    "whether the customer was drawn for the holdout, from whom the offer is withheld to measure its effect",
    "end the holdout",
    ("holdout_share", "experiment_salt"),
    (Rung.FULL, Rung.PRIOR),
)
