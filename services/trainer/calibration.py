"""Platt scaling: the sigmoid that turns the margins of a support vector machine into probabilities."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from services.trainer.linear import Linear, Vector, sigmoid

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

    def folded_into(self, linear: Linear) -> Linear:
        """The linear model whose margin is already calibrated, so that a plain sigmoid makes its probability."""
        return Linear(self.slope * linear.coefficients, self.slope * linear.intercept + self.offset)


UNCHANGED: Final = Sigmoid(1.0, 0.0)
"""What a logistic regression needs: its margins are log odds already."""


def fit_sigmoid(margins: Vector, labels: Vector) -> Sigmoid:
    """The sigmoid of `labels` given `margins` that their model was not fitted on, both of shape (rows,)."""
    if not np.all(np.isfinite(margins)):
        return Sigmoid(float("nan"), float("nan"))  # the gate refuses what comes of it
    model = LogisticRegression(C=_INVERSE_REGULARISATION).fit(margins.reshape(-1, 1), labels)
    return Sigmoid(float(model.coef_[0, 0]), float(model.intercept_[0]))


def cross_fitted(margins: Vector, labels: Vector, folds: npt.NDArray[np.int32]) -> Vector:
    """Calibrated probabilities of out-of-fold margins, each fold's by a sigmoid that was fitted on the other folds."""
    probabilities = np.empty_like(margins)
    for fold in np.unique(folds):
        held_out = folds == fold
        calibrator = fit_sigmoid(margins[~held_out], labels[~held_out])
        probabilities[held_out] = calibrator.probabilities(margins[held_out])
    return probabilities
