"""Platt scaling: the sigmoid that turns margins into probabilities, where a fit leaves that open: a support vector machine's, and
those of classes that were weighted."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from sklearn.linear_model import LogisticRegression

from services.trainer.dataset import Rows
from services.trainer.linear import Predictor, Vector, sigmoid
from services.trainer.splitting import Split

_INVERSE_REGULARISATION: Final = 1e3
"""Next to none, but enough for a slope to exist where the margins separate the labels without error."""


@dataclass(frozen=True, slots=True)
class Sigmoid:
    """`probability = 1 / (1 + exp(-(slope * margin + offset)))`."""

    slope: float
    offset: float

    def probabilities(self, margins: Vector) -> Vector:
        """Shape (rows,) in, shape (rows,) out."""
        return sigmoid(self.slope * margins + self.offset)

    def folded_into(self, model: Predictor) -> Predictor:
        """The model whose margin is already calibrated, so that a plain sigmoid makes its probability."""
        return model.rescaled(self.slope, self.offset)


UNCHANGED: Final = Sigmoid(1.0, 0.0)
"""What a plain logistic regression needs: its margins are log odds already."""


def fit_sigmoid(margins: Vector, labels: Vector, weights: Vector) -> Sigmoid:
    """The sigmoid of `labels` given `margins` that their model was not fitted on, all of shape (rows,)."""
    if not np.all(np.isfinite(margins)):
        return Sigmoid(float("nan"), float("nan"))  # the gate refuses what comes of it
    model = LogisticRegression(C=_INVERSE_REGULARISATION).fit(margins.reshape(-1, 1), labels, sample_weight=weights)
    return Sigmoid(float(model.coef_[0, 0]), float(model.intercept_[0]))


def fold_sigmoids(margins: Vector, rows: Rows, split: Split) -> tuple[Sigmoid, ...]:
    """For each fold the sigmoid of the other folds' `margins`, out of fold and of shape (rows,): no row helps to calibrate its own
    answer."""
    folds = rows.folds[split]
    others = (folds != fold for fold in range(split.folds))
    return tuple(fit_sigmoid(margins[mask], rows.labels[mask], rows.weights[mask]) for mask in others)
