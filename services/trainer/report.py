"""What a training run says of itself, as one JSON document."""

import math
from dataclasses import asdict
from typing import Any

from services.trainer.gate import Check, Evidence
from services.trainer.training import Judged, Outcome


def to_report(outcome: Outcome) -> dict[str, Any]:
    """The report of README; numbers that are none become null."""
    chosen = outcome.chosen
    evidence = chosen.evidence
    champion = evidence.champion
    report = {
        "rows": outcome.rows,
        "positives": outcome.positives,
        "data": outcome.data.to_json(),
        **{one.candidate.algorithm.value: _candidate(one) for one in outcome.judged},
        "never_show": asdict(evidence.never_show),
        "champion": champion and {"version": outcome.champion_version, **asdict(champion.champion)},
        "parity_max_abs": max(one.parity_max_abs for one in outcome.judged),
        "gate": {
            "algorithm": chosen.candidate.algorithm.value,
            "passed": chosen.verdict.passed,
            "checks": [_check(check) for check in chosen.verdict.checks],
            "not_checked": list(chosen.verdict.not_checked),
        },
        "evidence": _evidence(evidence),
        "published": outcome.published or None,
        "promoted": outcome.promoted,
        "seconds": outcome.seconds,
        "skipped": outcome.skipped,
    }
    finite: dict[str, Any] = _finite(report)
    return finite


def _candidate(judged: Judged) -> dict[str, Any]:
    quality, setting = judged.quality, judged.candidate.setting
    return {
        "error": quality.error,
        "auc": quality.auc,
        "log_loss": quality.log_loss,
        "calibration_error": quality.calibration_error,
        "regularisation": setting.regularisation,
        "class_weight": setting.class_weight.value,
        "passed": judged.verdict.passed,
    }


def _check(check: Check) -> dict[str, Any]:
    return {
        "name": check.name.value,
        "passed": check.passed,
        "value": check.value,
        "limit": check.limit,
        "sentence": check.sentence,
    }


def _evidence(evidence: Evidence) -> dict[str, Any]:
    """What the chosen one was judged by beyond its measures."""
    return {
        "gain": asdict(evidence.gain),
        "calibration_by_chance": evidence.quality.calibration_by_chance,
        "champion": evidence.champion and asdict(evidence.champion),
        "slices": [asdict(one) for one in evidence.slices],
        "off_policy": evidence.off_policy and asdict(evidence.off_policy),
    }


def _finite(value: Any) -> Any:
    """The same document, with null for every number that JSON does not have."""
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
