"""Which model is asked about whom, and what it says: one run of the model for everybody it is asked about."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from interlude.models.rollout import is_in_share
from interlude.models.store import Stage
from services.decision.champion import Roster, Serving, Trial
from services.decision.listeners import Listener


class Score(NamedTuple):
    """What one listener is judged by. `probability` is None without features or model; `threshold` is None and `version` empty
    where no model serves."""

    probability: float | None = None
    threshold: float | None = None
    version: str = ""
    by_candidate: bool = False


class Comparison(NamedTuple):
    """A candidate in shadow beside the champion: on how many listeners they are on the same side of their thresholds."""

    same: int
    other: int


def score(
    customer_ids: Sequence[int],
    listeners: Sequence[Listener],
    roster: Roster,
    on_shadow: Callable[[Comparison], None],
) -> list[Score]:
    """One `Score` per listener, in order. `on_shadow` is told how a candidate in shadow would have judged them."""
    trial = roster.trial
    if trial is None:
        return _by(listeners, roster.champion)
    if trial.stage is not Stage.SHADOW:
        return _by_either(customer_ids, listeners, roster.champion, trial)
    scores = _by(listeners, roster.champion)
    on_shadow(_compared(scores, _by(listeners, trial.serving)))
    return scores


def takes_moment(roster: Roster) -> bool:
    """Whether any model that is asked takes features that only the moment knows."""
    servings = (roster.champion, None if roster.trial is None else roster.trial.serving)
    return any(serving is not None and serving.scorer.takes_moment for serving in servings)


def _by(listeners: Sequence[Listener], serving: Serving | None, *, by_candidate: bool = False) -> list[Score]:
    if serving is None:
        return [Score()] * len(listeners)
    version, _, threshold = serving
    return [Score(probability, threshold, version, by_candidate) for probability in probabilities(listeners, serving)]


def _by_either(
    customer_ids: Sequence[int], listeners: Sequence[Listener], champion: Serving | None, trial: Trial
) -> list[Score]:
    """The candidate decides for its share, the champion for the rest."""
    version, share = trial.serving.version, trial.share
    taken = [is_in_share(version, share, customer_id) for customer_id in customer_ids]
    rest = iter(_by([each for each, is_taken in zip(listeners, taken, strict=True) if not is_taken], champion))
    mine = [each for each, is_taken in zip(listeners, taken, strict=True) if is_taken]
    candidate = iter(_by(mine, trial.serving, by_candidate=True))
    return [next(candidate if is_taken else rest) for is_taken in taken]


def _compared(scores: Sequence[Score], shadows: Sequence[Score]) -> Comparison:
    sides = [
        _is_above(score) == _is_above(shadow)
        for score, shadow in zip(scores, shadows, strict=True)
        if score.probability is not None and shadow.probability is not None
    ]
    return Comparison(sum(sides), len(sides) - sum(sides))


def _is_above(score: Score) -> bool:
    return score.probability is not None and score.threshold is not None and score.probability >= score.threshold


def probabilities(listeners: Sequence[Listener], serving: Serving | None) -> list[float | None]:
    """One per listener, None without features or model, from one run of the model."""
    vectors = [listener.features.vector for listener in listeners if listener.features is not None]
    if serving is None or not vectors:
        return [None] * len(listeners)
    matrix = np.frombuffer(b"".join(vectors), dtype="<f4").reshape(len(vectors), -1)
    scores = iter(serving.scorer.score_vectors(matrix).tolist())
    return [None if listener.features is None else next(scores) for listener in listeners]
