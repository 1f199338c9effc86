"""Curves for people: points to draw, few however many rows there are."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from sklearn.metrics import roc_curve

from services.trainer.linear import Vector

CALIBRATION_POINTS: Final = 10
ROC_POINTS: Final = 200
SCORE_BINS: Final = 20


@dataclass(frozen=True, slots=True)
class Curves:
    """`calibration`: promised and seen click rate and rows, by tenths of the rows; `roc`: false and true positive rates; `scores`:
    rows without and with a click per twentieth of the probabilities."""

    calibration: tuple[tuple[float, float, int], ...]
    roc: tuple[tuple[float, float], ...]
    scores: tuple[tuple[int, int], ...]


def curves_of(labels: Vector, probabilities: Vector, weights: Vector) -> Curves:
    """The curves of `probabilities`, arrays of shape (rows,); empty where any is no number."""
    if not np.all(np.isfinite(probabilities)):
        return Curves((), (), ())
    return Curves(
        _calibration(labels, probabilities, weights),
        _roc(labels, probabilities, weights),
        _scores(labels, probabilities),
    )


def _calibration(labels: Vector, probabilities: Vector, weights: Vector) -> tuple[tuple[float, float, int], ...]:
    order = np.argsort(probabilities, kind="stable")
    parts = [part for part in np.array_split(order, CALIBRATION_POINTS) if part.size]
    return tuple(
        (
            float(np.average(probabilities[part], weights=weights[part])),
            float(np.average(labels[part], weights=weights[part])),
            int(part.size),
        )
        for part in parts
    )


def _roc(labels: Vector, probabilities: Vector, weights: Vector) -> tuple[tuple[float, float], ...]:
    wrong, right, _ = roc_curve(labels, probabilities, sample_weight=weights)
    places = np.unique(np.linspace(0, len(wrong) - 1, ROC_POINTS).astype(int))
    return tuple((float(wrong[place]), float(right[place])) for place in places)


def _scores(labels: Vector, probabilities: Vector) -> tuple[tuple[int, int], ...]:
    without, _ = np.histogram(probabilities[labels == 0], SCORE_BINS, (0.0, 1.0))
    clicked, _ = np.histogram(probabilities[labels == 1], SCORE_BINS, (0.0, 1.0))
    return tuple((int(low), int(high)) for low, high in zip(without, clicked, strict=True))
