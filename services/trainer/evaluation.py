"""How good probabilities are, against what happened."""

from typing import Final

import numpy as np
import numpy.typing as npt
from sklearn.metrics import log_loss, roc_auc_score

from services.trainer.gate import Baseline, Quality

Vector = npt.NDArray[np.float64]

DECISION_POINT: Final = 0.5
"""Errors are counted at this probability, whatever threshold the model will serve with."""

CALIBRATION_BINS: Final = 10
CALIBRATION_BIN_ROWS: Final = 200
"""With fewer rows a bin's click rate is mostly chance: a perfect model would show an error of 0.05 and more. Few rows
make fewer bins, down to one, which still tells whether the click rate is right over all."""

_PROBABILITY_FLOOR: Final = 1e-12


def evaluate(labels: Vector, probabilities: Vector) -> Quality:
    """The measures of `probabilities` of a click, both of shape (rows,); `labels` are 0 or 1 and hold both values."""
    if not np.all(np.isfinite(probabilities)):
        return Quality(error=float("nan"), log_loss=float("nan"), auc=float("nan"), calibration_error=float("nan"))
    return Quality(
        error=error_share(labels, probabilities),
        log_loss=cross_entropy(labels, probabilities),
        auc=float(roc_auc_score(labels, probabilities)),
        calibration_error=calibration_error(labels, probabilities),
    )


def error_share(labels: Vector, probabilities: Vector) -> float:
    """The share of rows on the wrong side of `DECISION_POINT`."""
    return float(np.mean((probabilities >= DECISION_POINT) != (labels >= DECISION_POINT)))


def cross_entropy(labels: Vector, probabilities: Vector) -> float:
    """Log-loss in nats per row; probabilities of exactly 0 and 1 count as 1e-12 and 1 - 1e-12; infinite when any is no number."""
    if not np.all(np.isfinite(probabilities)):
        return float("inf")
    return float(
        log_loss(labels, np.clip(probabilities, _PROBABILITY_FLOOR, 1 - _PROBABILITY_FLOOR), labels=[0.0, 1.0])
    )


def calibration_error(labels: Vector, probabilities: Vector) -> float:
    """Expected calibration error over at most `CALIBRATION_BINS` bins of equal size: mean |promised - seen| click rate."""
    order = np.argsort(probabilities, kind="stable")
    bins = np.array_split(order, max(1, min(CALIBRATION_BINS, labels.size // CALIBRATION_BIN_ROWS)))
    gaps = [abs(float(np.mean(probabilities[part]) - np.mean(labels[part]))) * part.size for part in bins]
    return sum(gaps) / labels.size


def never_show(labels: Vector) -> Baseline:
    """The measures of the constant base rate, which shows nobody anything as long as clicks are the rarer outcome."""
    rate = float(np.mean(labels))
    return Baseline(error=min(rate, 1 - rate), log_loss=cross_entropy(labels, np.full(labels.shape, rate)))
