"""Models made from coefficients, in the form that the trainer publishes."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

import numpy as np

from interlude.features.schema import FINGERPRINTS, STATE_FEATURE_NAMES
from interlude.models.manifest import GoldenRow, Manifest
from services.trainer.export import to_onnx_file, to_sklearn
from services.trainer.linear import Linear, sigmoid

GENEROUS: Final = 4.0
"""An intercept with which every listener scores above one half."""
STINGY: Final = -4.0
"""An intercept with which no listener scores above one half."""


@dataclass(frozen=True)
class ModelSpec:
    """A linear model of click probability over `features`, in their order."""

    intercept: float = GENEROUS
    coefficients: tuple[float, ...] = (0.0,) * len(STATE_FEATURE_NAMES)
    features: tuple[str, ...] = STATE_FEATURE_NAMES
    threshold: float = 0.5
    manifest_changes: dict[str, Any] = field(default_factory=dict)

    @property
    def file(self) -> bytes:
        """The ONNX file."""
        return _onnx_file(self.coefficients, self.intercept)

    @property
    def manifest(self) -> Manifest:
        """The manifest, with `manifest_changes` laid over what would be true."""
        fields: dict[str, Any] = {
            "algorithm": "logistic",
            "model_sha256": hashlib.sha256(self.file).hexdigest(),
            "features": self.features,
            "fingerprints": tuple(FINGERPRINTS.get(name, "0" * 12) for name in self.features),
            "threshold": self.threshold,
            "golden": self.golden,
            "metrics": {"error": 0.01},
            "trained_at_ms": 1_700_000_000_000,
            "training_rows": 1000,
            "training_source": "tests",
        }
        return Manifest(**{**fields, **self.manifest_changes})

    @property
    def golden(self) -> tuple[GoldenRow, ...]:
        """Three rows and what the formula gives for them, computed without ONNX Runtime."""
        rows = np.array([[place * share for place in range(len(self.features))] for share in (0.0, 0.1, 0.2)])
        probabilities = self.probabilities(rows)
        return tuple(GoldenRow(tuple(row), value) for row, value in zip(rows.tolist(), probabilities, strict=True))

    def probabilities(self, rows: Sequence[Sequence[float]] | np.ndarray) -> list[float]:
        """Click probabilities by the formula, for rows in the model's feature order."""
        answers: list[float] = sigmoid(np.asarray(rows) @ np.array(self.coefficients) + self.intercept).tolist()
        return answers


@cache
def _onnx_file(coefficients: tuple[float, ...], intercept: float) -> bytes:
    return to_onnx_file(to_sklearn(Linear(np.array(coefficients), intercept)))
