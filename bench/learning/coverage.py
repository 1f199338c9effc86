"""Whether off-policy estimates are as far from the truth as their standard errors say."""

from typing import Final

import numpy as np
from sklearn.linear_model import LogisticRegression

from bench.learning.playing import PRODUCTION, play, value_of
from bench.learning.world import Listeners, draw_listeners
from bench.measured import Figure
from services.trainer.linear import Linear, Vector, sigmoid
from services.trainer.offpolicy import Estimate, doubly_robust, ips, snips

SEEDS: Final = 100
DECISIONS: Final = 200_000
ASKED: Final = 4
_TRUTH_LISTENERS: Final = 2_000_000
_STANDARD_ERRORS: Final = 2.0
_MORNING: Final = 0


def measure(seeds: int = SEEDS, decisions: int = DECISIONS) -> dict[str, Figure]:
    """A model that misses what matters decides and logs; a better one is valued from that log, in world after world."""
    better, serving = _two_models()
    truth = _true_value(better)
    within = {"ips": 0, "snips": 0, "dr": 0}
    errors: dict[str, list[float]] = {name: [] for name in within}
    for seed in range(seeds):
        for name, estimate in _estimates(seed, decisions, better, serving).items():
            within[name] += abs(estimate.value - truth) <= _STANDARD_ERRORS * estimate.standard_error
            errors[name].append(estimate.standard_error)
    under = f"of {seeds} worlds of {decisions:,} decisions, within 2 standard errors of the true value {truth:.4f}"
    figures = {f"{name}_coverage": Figure(count, "worlds", under) for name, count in within.items()}
    for name, values in errors.items():
        unit, told = "clicks per decision", f"mean of {seeds} worlds; the value is {truth:.4f}"
        figures[f"{name}_standard_error"] = Figure(round(float(np.mean(values)), 6), unit, told)
    return figures


def _two_models() -> tuple[Linear, Linear]:
    """One fitted on all features, and one without the feature that tells most."""
    chance = np.random.default_rng(1)
    listeners = draw_listeners(chance, 20_000)
    clicked = (chance.random(len(listeners)) < listeners.probability).astype(np.float64)
    better = _fitted(listeners, clicked, np.ones(listeners.features.shape[1]))
    without = np.ones(listeners.features.shape[1])
    without[_MORNING] = 0.0
    return better, _fitted(listeners, clicked, without)


def _fitted(listeners: Listeners, clicked: Vector, kept: Vector) -> Linear:
    model = LogisticRegression(C=1e4, max_iter=1000).fit(listeners.features * kept, clicked)
    return Linear(model.coef_[0] * kept, float(model.intercept_[0]))


def _true_value(model: Linear) -> float:
    listeners = draw_listeners(np.random.default_rng(2), _TRUTH_LISTENERS)
    shows = sigmoid(model.margins(listeners.features)) >= PRODUCTION.threshold
    return value_of(shows, listeners.probability, PRODUCTION.threshold)


def _estimates(seed: int, decisions: int, better: Linear, serving: Linear) -> dict[str, Estimate]:
    chance = np.random.default_rng((3, seed))
    listeners = draw_listeners(chance, decisions // ASKED)
    played = play(chance, listeners, sigmoid(serving.margins(listeners.features)), PRODUCTION, ASKED)
    log = played.usable(folds=2).valued(PRODUCTION.threshold)
    probabilities = sigmoid(better.margins(played.features))
    shows = (probabilities >= PRODUCTION.threshold).astype(np.float64)
    return {
        "ips": ips(log, shows),
        "snips": snips(log, shows),
        "dr": doubly_robust(log, shows, probabilities - PRODUCTION.threshold),
    }
