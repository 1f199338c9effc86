"""What a training run says of itself, as one JSON document."""

import math
from typing import Any

from services.trainer.gate import Check
from services.trainer.training import Judged, Outcome


def to_report(outcome: Outcome) -> dict[str, Any]:
    """The report of README; numbers that are none become null."""
    chosen = outcome.chosen
    return {
        "rows": outcome.rows,
        "positives": outcome.positives,
        "data": outcome.data.to_json(),
        **{one.candidate.algorithm.value: _candidate(one) for one in outcome.judged},
        "never_show": {"error": outcome.never_show.error, "log_loss": outcome.never_show.log_loss},
        "champion": outcome.champion and {"error": outcome.champion.error, "log_loss": outcome.champion.log_loss},
        "parity_max_abs": _number(max(one.parity_max_abs for one in outcome.judged)),
        "gate": {
            "algorithm": chosen.candidate.algorithm.value,
            "passed": chosen.verdict.passed,
            "checks": [_check(check) for check in chosen.verdict.checks],
        },
        "published": outcome.published or None,
        "promoted": outcome.promoted,
        "seconds": outcome.seconds,
        "skipped": outcome.skipped,
    }


def _candidate(judged: Judged) -> dict[str, Any]:
    quality = judged.quality
    return {
        "error": _number(quality.error),
        "auc": _number(quality.auc),
        "log_loss": _number(quality.log_loss),
        "calibration_error": _number(quality.calibration_error),
        "regularisation": judged.candidate.regularisation,
        "passed": judged.verdict.passed,
    }


def _check(check: Check) -> dict[str, Any]:
    return {
        "name": check.name.value,
        "passed": check.passed,
        "value": _number(check.value),
        "limit": check.limit,
        "sentence": check.sentence,
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
