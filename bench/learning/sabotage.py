"""Twenty ways to spoil a model, each judged by the gate that judges every model; and as many honest retrainings.

The ground is a log of the production policy: rows weighed by their propensities, a champion that was trained before, slices, and
off-policy estimates. A spoilt model is exported and judged by what its file answers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from sklearn.linear_model import LogisticRegression

from bench.learning.playing import PRODUCTION, Played, play
from bench.learning.world import draw_listeners
from bench.measured import Figure
from services.trainer.dataset import Rows
from services.trainer.export import to_model_file
from services.trainer.gate import Evidence, GateReport, judge
from services.trainer.gathering import Answers, Gatherer
from services.trainer.linear import Linear, Matrix, Vector, sigmoid
from services.trainer.parity import greatest_difference, onnx_probabilities, plain_probabilities
from services.trainer.slices import Dimension, Kinds, devices_of

HONEST: Final = 20
_LISTENERS: Final = 20_000
_ASKED: Final = 3
_FOLDS: Final = 2
_SEED: Final = 42
_MORNING, _AFTERNOON, _EVENING, _NIGHT, _MOBILE, _UNIQUE = range(6)


@dataclass(frozen=True, slots=True)
class Ground:
    """Shown decisions to learn from, `features` (rows, 6), `labels` and `weights` (rows,), and an honest model of them."""

    features: Matrix
    labels: Vector
    weights: Vector
    honest: Linear

    def refitted(self, features: Matrix | None = None, labels: Vector | None = None) -> Linear:
        """A model fitted on other features or labels of the same rows."""
        features = self.features if features is None else features
        return fit(features, self.labels if labels is None else labels, self.weights)


Spoil = Callable[[Ground, np.random.Generator], Linear]


def fit(features: Matrix, labels: Vector, weights: Vector | None = None) -> Linear:
    """A logistic regression, hardly regularised."""
    model = LogisticRegression(C=1e3, max_iter=1000).fit(features, labels, sample_weight=weights)
    return Linear(model.coef_[0].astype(np.float64), float(model.intercept_[0]))


def _order(*places: int) -> Spoil:
    """Trained on features in another order than they are served in."""
    return lambda ground, _: ground.refitted(features=ground.features[:, list(places)])


def _scaled(slope: float, offset: float) -> Spoil:
    """The honest model, its log odds multiplied and moved."""
    return lambda ground, _: ground.honest.rescaled(slope, offset)


def _constant(probability: float) -> Spoil:
    """One answer for everybody."""
    return lambda ground, _: Linear(np.zeros(ground.features.shape[1]), float(np.log(probability / (1 - probability))))


def _without(place: int) -> Spoil:
    """One feature arrives as 0 when the model serves."""
    return lambda ground, _: Linear(
        np.where(np.arange(ground.features.shape[1]) == place, 0.0, ground.honest.coefficients), ground.honest.intercept
    )


def _of_other_clicks(weights: tuple[float, ...], centre: float) -> Spoil:
    """Trained on a campaign whose offer other listeners take."""

    def spoil(ground: Ground, chance: np.random.Generator) -> Linear:
        taken = sigmoid(ground.features @ np.array(weights) - centre)
        return ground.refitted(labels=(chance.random(len(taken)) < taken).astype(np.float64))

    return spoil


def _broken(ground: Ground, _: np.random.Generator) -> Linear:
    return Linear(np.where(np.arange(ground.features.shape[1]) == _NIGHT, np.nan, ground.honest.coefficients), 0.0)


SABOTAGE: Final[dict[str, Spoil]] = {
    "labels flipped": lambda ground, _: ground.refitted(labels=1 - ground.labels),
    "labels shuffled": lambda ground, chance: ground.refitted(labels=chance.permutation(ground.labels)),
    "half of the clicks lost": lambda ground, chance: ground.refitted(
        labels=ground.labels * (chance.random(len(ground.labels)) < 0.5)
    ),
    "a third of the labels at random": lambda ground, chance: ground.refitted(
        labels=np.where(
            chance.random(len(ground.labels)) < 1 / 3, chance.integers(0, 2, len(ground.labels)), ground.labels
        )
    ),
    "order of the features turned round": _order(_UNIQUE, _MOBILE, _NIGHT, _EVENING, _AFTERNOON, _MORNING),
    "morning and night swapped": _order(_NIGHT, _AFTERNOON, _EVENING, _MORNING, _MOBILE, _UNIQUE),
    "morning and evening swapped": _order(_EVENING, _AFTERNOON, _MORNING, _NIGHT, _MOBILE, _UNIQUE),
    "mobile and unique swapped": _order(_MORNING, _AFTERNOON, _EVENING, _NIGHT, _UNIQUE, _MOBILE),
    "one answer: hardly ever": _constant(0.001),
    "one answer: the click rate": _constant(0.16),
    "one answer: always": _constant(0.999),
    "log odds times five": _scaled(5.0, 0.0),
    "log odds by five": _scaled(0.2, 0.0),
    "promises too much": _scaled(1.0, 1.5),
    "promises too little": _scaled(1.0, -1.5),
    "morning missing when it serves": _without(_MORNING),
    "trained on percent, served on shares": lambda ground, _: ground.refitted(features=ground.features * 100),
    "trained on another campaign": _of_other_clicks((-4.0, 0.0, 2.0, 8.0, -3.0, 0.0), 1.0),
    "trained on forty rows": lambda ground, _: fit(ground.features[:40], ground.labels[:40], ground.weights[:40]),
    "a coefficient that is no number": _broken,
}


class Court:
    """Judges models on one log of the production policy, beside the champion that made it."""

    def __init__(self) -> None:
        chance = np.random.default_rng(11)
        self.champion = fit(*_everybody(chance, 4000))
        played = self._log(chance)
        rows = _rows_of(played)
        decisions = played.usable(_FOLDS)
        answers = Answers(
            sigmoid(self.champion.margins(rows.features)),
            PRODUCTION.threshold,
            sigmoid(self.champion.margins(decisions.features)),
        )
        self._rows, self._decisions = rows, decisions
        self._gatherer = Gatherer(rows, decisions, answers, _SEED)

    def ground(self, seed: int) -> Ground:
        """Another log of the same policy to learn from: what a model is judged on, it has not seen."""
        played = self._log(np.random.default_rng((12, seed)))
        features, labels = played.features[played.shown], played.clicked[played.shown].astype(np.float64)
        weights = 1 / played.propensity[played.shown]
        return Ground(features, labels, weights, fit(features, labels, weights))

    def evidence(self, model: Linear) -> Evidence:
        """What the gate would be told of this model."""
        file = to_model_file(model)
        on_rows, on_decisions = (onnx_probabilities(file, part.features) for part in (self._rows, self._decisions))
        parity = (
            greatest_difference(plain_probabilities(model, self._rows.features), on_rows) if model.is_finite else np.nan
        )
        answers = Answers(on_rows, PRODUCTION.threshold, on_decisions)
        return self._gatherer.gather(answers, parity, finite=model.is_finite)

    def _log(self, chance: np.random.Generator) -> Played:
        listeners = draw_listeners(chance, _LISTENERS)
        return play(chance, listeners, sigmoid(self.champion.margins(listeners.features)), PRODUCTION, _ASKED)


def measure() -> dict[str, Figure]:
    """How many spoilt models are refused, and how many honest ones are not."""
    court = Court()
    verdicts = {name: _spoilt(court, seed, spoil) for seed, (name, spoil) in enumerate(SABOTAGE.items())}
    for name, verdict in verdicts.items():
        checks = ", ".join(check.name.value for check in verdict.checks if not check.passed)
        print(f"  {name:38} {'PASSED' if verdict.passed else 'refused'}  {checks}")
    honest = [judge(court.evidence(court.ground(100 + seed).honest)) for seed in range(HONEST)]
    for verdict in honest:
        print("".join(f"  an honest model was refused: {sentence}\n" for sentence in verdict.refusals), end="")
    refused = sum(not verdict.passed for verdict in verdicts.values())
    return {
        "sabotaged_refused": Figure(refused, "models", f"of {len(SABOTAGE)}, each spoilt in another way"),
        "honest_accepted": Figure(
            sum(verdict.passed for verdict in honest), "models", f"of {HONEST} honest retrainings"
        ),
    }


def _spoilt(court: Court, seed: int, spoil: Spoil) -> GateReport:
    model = spoil(court.ground(seed), np.random.default_rng((13, seed)))
    return judge(court.evidence(model))


def _everybody(chance: np.random.Generator, count: int) -> tuple[Matrix, Vector]:
    """Listeners who were all shown the offer, as a campaign begins."""
    listeners = draw_listeners(chance, count)
    return listeners.features, (chance.random(count) < listeners.probability).astype(np.float64)


def _rows_of(played: Played) -> Rows:
    shown = played.shown
    features = played.features[shown]
    kinds = {
        Dimension.DEVICE: devices_of(features),
        Dimension.GENDER: Kinds(("female", "male", "other"), played.gender[shown]),
        Dimension.AGE: Kinds(("under 25", "25 to 34", "35 to 49", "50 and over"), played.age[shown]),
    }
    labels = played.clicked[shown].astype(np.float64)
    return Rows(labels, features, {}, played.listener[shown], 1 / played.propensity[shown], kinds)
