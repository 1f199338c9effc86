"""The gate: whether a candidate may become a version. Pure: numbers in, a verdict with a sentence per check out."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class CheckName(StrEnum):
    """What is checked; the value is the name in reports."""

    FINITE = "finite"
    ERROR = "error"
    BEATS_NEVER_SHOW = "beats_never_show"
    RANKING = "ranking"
    CALIBRATION = "calibration"
    PARITY = "parity"
    CHAMPION_LOG_LOSS = "champion_log_loss"
    CHAMPION_ERROR = "champion_error"


@dataclass(frozen=True, slots=True)
class Limits:
    """Where the gate draws its lines.

    `error` share of wrong answers at probability 0.5; `auc_margin` over 0.5; `calibration_error` mean distance of promised
    and seen click rates (generous: a calibrated model stays below 0.02 from some thousand rows on); `parity` greatest
    difference of the three runtimes; the champion's tolerances are there because it may have seen the rows in training.
    """

    error: float = 0.10
    auc_margin: float = 0.02
    calibration_error: float = 0.05
    parity: float = 1e-5
    champion_log_loss_tolerance: float = 0.01
    champion_error_tolerance: float = 0.005


DEFAULT_LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True)
class Quality:
    """How good answers are on some rows. `log_loss` in nats per row, the others shares 0..1."""

    error: float
    log_loss: float
    auc: float
    calibration_error: float


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the same measures are for a known alternative on the same rows: "never show", or the champion."""

    error: float
    log_loss: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that the gate knows of a candidate. `quality` is out of fold; `finite` tells of coefficients and answers."""

    quality: Quality
    never_show: Baseline
    parity_max_abs: float
    finite: bool
    champion: Baseline | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the verdict: `value` was compared with `limit`; `sentence` is for people."""

    name: CheckName
    passed: bool
    value: float
    limit: float
    sentence: str


@dataclass(frozen=True, slots=True)
class GateReport:
    """The verdict: it passes when every check does."""

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether the candidate may be published."""
        return all(check.passed for check in self.checks)

    @property
    def refusals(self) -> tuple[str, ...]:
        """Why not, one sentence per failed check."""
        return tuple(check.sentence for check in self.checks if not check.passed)


def judge(evidence: Evidence, limits: Limits = DEFAULT_LIMITS) -> GateReport:
    """The verdict on a candidate. A measure that is not a number fails its check."""
    checks = [
        _finite(evidence),
        _error(evidence.quality, limits),
        _beats_never_show(evidence),
        _ranking(evidence.quality, limits),
        _calibration(evidence.quality, limits),
        _parity(evidence.parity_max_abs, limits),
    ]
    if evidence.champion is not None:
        checks += _not_worse(evidence.quality, evidence.champion, limits)
    return GateReport(tuple(checks))


def _finite(evidence: Evidence) -> Check:
    quality = evidence.quality
    measures = (quality.error, quality.log_loss, quality.auc, quality.calibration_error, evidence.parity_max_abs)
    finite = evidence.finite and all(map(math.isfinite, measures))
    sentence = "Coefficients, answers and measures are finite." if finite else "Something is infinite or not a number."
    return Check(CheckName.FINITE, finite, float(finite), 1.0, sentence)


def _error(quality: Quality, limits: Limits) -> Check:
    passed = quality.error <= limits.error
    sentence = f"{quality.error:.2%} of the answers are wrong, at most {limits.error:.2%} may be."
    return Check(CheckName.ERROR, passed, quality.error, limits.error, sentence)


def _beats_never_show(evidence: Evidence) -> Check:
    value, limit = evidence.quality.log_loss, evidence.never_show.log_loss
    verb = "is" if value < limit else "is not"
    sentence = f'The log-loss of {value:.4f} {verb} below that of "never show", {limit:.4f}.'
    return Check(CheckName.BEATS_NEVER_SHOW, value < limit, value, limit, sentence)


def _ranking(quality: Quality, limits: Limits) -> Check:
    limit = 0.5 + limits.auc_margin
    sentence = f"The area under the ROC curve is {quality.auc:.4f}, more than {limit:.4f} is needed."
    return Check(CheckName.RANKING, quality.auc > limit, quality.auc, limit, sentence)


def _calibration(quality: Quality, limits: Limits) -> Check:
    value, limit = quality.calibration_error, limits.calibration_error
    sentence = f"Promised and seen click rates differ by {value:.4f} on average, at most {limit:.4f} is allowed."
    return Check(CheckName.CALIBRATION, value <= limit, value, limit, sentence)


def _parity(value: float, limits: Limits) -> Check:
    sentence = (
        f"Spark, scikit-learn and ONNX Runtime differ by up to {value:.1e}, at most {limits.parity:.0e} is allowed."
    )
    return Check(CheckName.PARITY, value <= limits.parity, value, limits.parity, sentence)


def _not_worse(quality: Quality, champion: Baseline, limits: Limits) -> list[Check]:
    log_loss_limit = champion.log_loss + limits.champion_log_loss_tolerance
    error_limit = champion.error + limits.champion_error_tolerance
    return [
        Check(
            CheckName.CHAMPION_LOG_LOSS,
            quality.log_loss <= log_loss_limit,
            quality.log_loss,
            log_loss_limit,
            f"The champion's log-loss on these rows is {champion.log_loss:.4f}; the candidate's {quality.log_loss:.4f} "
            f"may be at most {log_loss_limit:.4f}.",
        ),
        Check(
            CheckName.CHAMPION_ERROR,
            quality.error <= error_limit,
            quality.error,
            error_limit,
            f"The champion errs on {champion.error:.2%} of these rows; the candidate's {quality.error:.2%} "
            f"may be at most {error_limit:.2%}.",
        ),
    ]
