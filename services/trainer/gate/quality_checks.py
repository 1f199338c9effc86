"""Checks of the candidate by itself."""

import math

from services.trainer.gate.evidence import Evidence, Interval, Quality
from services.trainer.gate.verdict import Check, CheckName, Limits


def check_quality(evidence: Evidence, limits: Limits) -> list[Check]:
    """The checks that need neither champion nor log."""
    return [
        _finite(evidence),
        _error(evidence.quality, limits),
        _beats_never_show(evidence),
        _ranking(evidence.quality, limits),
        _calibration(evidence.quality, limits),
        _parity(evidence.parity_max_abs, limits),
    ]


def _finite(evidence: Evidence) -> Check:
    quality, gain = evidence.quality, evidence.gain
    measures = (quality.error, quality.log_loss, quality.auc, quality.calibration_error, quality.calibration_by_chance)
    finite = evidence.finite and all(map(math.isfinite, (*measures, gain.value, evidence.parity_max_abs)))
    sentence = "Coefficients, answers and measures are finite." if finite else "Something is infinite or not a number."
    return Check(CheckName.FINITE, finite, float(finite), 1.0, sentence)


def _error(quality: Quality, limits: Limits) -> Check:
    passed = quality.error <= limits.error
    sentence = f"{quality.error:.2%} of the answers are wrong, at most {limits.error:.2%} may be."
    return Check(CheckName.ERROR, passed, quality.error, limits.error, sentence)


def _beats_never_show(evidence: Evidence) -> Check:
    gain: Interval = evidence.gain
    passed = gain.low > 0
    verdict = "is below" if passed else "is not surely below"
    sentence = (
        f'The log-loss of {evidence.quality.log_loss:.4f} {verdict} that of "never show", '
        f"{evidence.never_show.log_loss:.4f}: the gain is {gain}."
    )
    return Check(CheckName.BEATS_NEVER_SHOW, passed, gain.low, 0.0, sentence)


def _ranking(quality: Quality, limits: Limits) -> Check:
    limit = 0.5 + limits.auc_margin
    sentence = f"The area under the ROC curve is {quality.auc:.4f}, more than {limit:.4f} is needed."
    return Check(CheckName.RANKING, quality.auc > limit, quality.auc, limit, sentence)


def _calibration(quality: Quality, limits: Limits) -> Check:
    value, limit = quality.calibration_error, limits.calibration_error + quality.calibration_by_chance
    sentence = (
        f"Promised and seen click rates differ by {value:.4f} on average, at most {limit:.4f} is allowed: "
        f"{limits.calibration_error:.4f}, and {quality.calibration_by_chance:.4f} for chance on so many rows."
    )
    return Check(CheckName.CALIBRATION, value <= limit, value, limit, sentence)


def _parity(value: float, limits: Limits) -> Check:
    sentence = (
        f"Spark, scikit-learn and ONNX Runtime differ by up to {value:.1e}, at most {limits.parity:.0e} is allowed."
    )
    return Check(CheckName.PARITY, value <= limits.parity, value, limits.parity, sentence)
