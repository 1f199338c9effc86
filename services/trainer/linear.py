"""A linear model as numbers: what Spark fits and everything else takes over."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float32]


class Algorithm(StrEnum):
    """What was fitted; the value is the name in reports and manifests."""

    LOGISTIC = "logistic"
    SVM = "svm"
    BOOSTED = "boosted"


class Predictor(Protocol):
    """A fitted model as numbers, whatever its form: its probability is the sigmoid of its margin."""

    @property
    def width(self) -> int:
        """How many features it takes."""

    @property
    def is_finite(self) -> bool:
        """Whether every number of it is one."""

    def margins(self, features: Matrix) -> Vector:
        """Shape (rows,) of features of shape (rows, width), computed in double precision."""

    def rescaled(self, slope: float, offset: float) -> "Predictor":
        """The model whose margin is `slope * margin + offset` of this one."""


@dataclass(frozen=True, slots=True)
class Linear:
    """`margin = features @ coefficients + intercept`; coefficients have shape (features,) and are in the features' units."""

    coefficients: Vector
    intercept: float

    @property
    def width(self) -> int:
        """How many features it takes."""
        return len(self.coefficients)

    @property
    def is_finite(self) -> bool:
        """Whether every number is one."""
        return bool(np.all(np.isfinite(self.coefficients)) and np.isfinite(self.intercept))

    def margins(self, features: Matrix) -> Vector:
        """Shape (rows,), computed in double precision."""
        margins: Vector = features.astype(np.float64) @ self.coefficients + self.intercept
        return margins

    def rescaled(self, slope: float, offset: float) -> "Linear":
        """The linear model with margin `slope * margin + offset`."""
        return Linear(slope * self.coefficients, slope * self.intercept + offset)


def sigmoid(margins: Vector) -> Vector:
    """Probabilities of margins, without overflow at either end."""
    halves: Vector = np.tanh(0.5 * margins)
    return 0.5 * (1.0 + halves)
