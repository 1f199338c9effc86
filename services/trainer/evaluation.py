"""How good probabilities are, against what happened."""

from typing import Final

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score

from services.trainer.gate import Baseline, Quality

Vector = npt.NDArray[np.float64]

DECISION_POINT: Final = 0.5
"""Errors are counted at this probability, whatever threshold the model will serve with."""

CALIBRATION_BINS: Final = 10
CALIBRATION_BIN_ROWS: Final = 200
"""With fewer rows a bin's click rate is mostly chance: a perfect model would show an error of 0.05 and more. Few rows
make fewer bins, down to one, which still tells whether the click rate is right over all."""

_PROBABILITY_FLOOR: Final = 1e-12

_CHANCE_DEVIATIONS: Final = 1.645
"""Standard deviations over its mean that chance exceeds one time in twenty."""


def evaluate(labels: Vector, probabilities: Vector, weights: Vector | None = None) -> Quality:
    """The measures of `probabilities` of a click, all of shape (rows,); `labels` are 0 or 1 and hold both values.

    `weights` say how many decisions a row stands for (none: one each): rows that were shown more often than others count less.
    """
    weights = np.ones(labels.shape) if weights is None else weights
    if not np.all(np.isfinite(probabilities)):
        return Quality(error=float("nan"), log_loss=float("nan"), auc=float("nan"), calibration_error=float("nan"))
    error, by_chance = calibration(labels, probabilities, weights)
    return Quality(
        error=error_share(labels, probabilities, weights),
        log_loss=cross_entropy(labels, probabilities, weights),
        auc=float(roc_auc_score(labels, probabilities, sample_weight=weights)),
        calibration_error=error,
        calibration_by_chance=by_chance,
    )


def row_errors(labels: Vector, probabilities: Vector) -> Vector:
    """1 for each row on the wrong side of `DECISION_POINT`, 0 for the others; shape (rows,)."""
    wrong: Vector = ((probabilities >= DECISION_POINT) != (labels >= DECISION_POINT)).astype(np.float64)
    return wrong


def row_losses(labels: Vector, probabilities: Vector) -> Vector:
    """Log-loss of each row in nats, shape (rows,); probabilities of exactly 0 and 1 count as 1e-12 and 1 - 1e-12, what is no
    number loses infinitely much."""
    kept = np.clip(probabilities, _PROBABILITY_FLOOR, 1 - _PROBABILITY_FLOOR)
    losses: Vector = -np.log(np.where(labels >= DECISION_POINT, kept, 1 - kept))
    return np.where(np.isfinite(probabilities), losses, np.inf)


def error_share(labels: Vector, probabilities: Vector, weights: Vector | None = None) -> float:
    """The share of rows on the wrong side of `DECISION_POINT`."""
    return float(np.average(row_errors(labels, probabilities), weights=weights))


def cross_entropy(labels: Vector, probabilities: Vector, weights: Vector | None = None) -> float:
    """Log-loss in nats per row; infinite when any probability is no number."""
    return float(np.average(row_losses(labels, probabilities), weights=weights))


def calibration(labels: Vector, probabilities: Vector, weights: Vector) -> tuple[float, float]:
    """Expected calibration error over at most `CALIBRATION_BINS` bins of equal size, mean |promised - seen| click rate; and what
    a perfect model's would stay below 19 times of 20 on so many rows."""
    order = np.argsort(probabilities, kind="stable")
    bins = np.array_split(order, max(1, min(CALIBRATION_BINS, labels.size // CALIBRATION_BIN_ROWS)))
    shares = np.array([weights[part].sum() for part in bins]) / weights.sum()
    gaps = np.array([gap(labels[part], probabilities[part], weights[part]) for part in bins])
    deviations = shares * [gap_deviation(probabilities[part], weights[part]) for part in bins]
    # The size of a normal deviate has mean sqrt(2/pi) and variance 1 - 2/pi; bins are independent.
    mean, variance = np.sqrt(2 / np.pi) * deviations.sum(), (1 - 2 / np.pi) * (deviations**2).sum()
    return float(shares @ np.abs(gaps)), float(mean + _CHANCE_DEVIATIONS * np.sqrt(variance))


def gap(labels: Vector, probabilities: Vector, weights: Vector) -> float:
    """Promised less seen click rate."""
    return float(np.average(probabilities - labels, weights=weights))


def gap_deviation(probabilities: Vector, weights: Vector) -> float:
    """The standard deviation that `gap` has by chance when `probabilities` are right."""
    return float(np.sqrt(weights**2 @ (probabilities * (1 - probabilities))) / weights.sum())


def base_rate(labels: Vector, weights: Vector | None = None) -> Vector:
    """The constant click rate as probabilities, shape (rows,): it shows nobody anything as long as clicks are the rarer outcome."""
    return np.full(labels.shape, np.average(labels, weights=weights))


def never_show(labels: Vector, weights: Vector | None = None) -> Baseline:
    """The measures of the base rate."""
    rates = base_rate(labels, weights)
    return Baseline(error_share(labels, rates, weights), cross_entropy(labels, rates, weights))
