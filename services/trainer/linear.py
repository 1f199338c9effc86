"""A linear model as numbers: what Spark fits and everything else takes over."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float32]


class Algorithm(StrEnum):
    """What was fitted; the value is the name in reports and manifests."""

    LOGISTIC = "logistic"
    SVM = "svm"


@dataclass(frozen=True, slots=True)
class Linear:
    """`margin = features @ coefficients + intercept`; coefficients have shape (features,) and are in the features' units."""

    coefficients: Vector
    intercept: float

    @property
    def is_finite(self) -> bool:
        """Whether every number is one."""
        return bool(np.all(np.isfinite(self.coefficients)) and np.isfinite(self.intercept))

    def margins(self, features: Matrix) -> Vector:
        """Shape (rows,), computed in double precision."""
        margins: Vector = features.astype(np.float64) @ self.coefficients + self.intercept
        return margins


def sigmoid(margins: Vector) -> Vector:
    """Probabilities of margins, without overflow at either end."""
    halves: Vector = np.tanh(0.5 * margins)
    return 0.5 * (1.0 + halves)
