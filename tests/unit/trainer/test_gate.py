"""The gate: every check on its own, at its limit and beyond; whole verdicts as JSON files that a product manager can read."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from services.trainer.gate import Baseline, CheckName, Evidence, GateReport, Limits, Quality, judge

GOLDEN: Final = Path(__file__).resolve().parents[2] / "golden" / "gate"
GOOD: Final = Evidence(
    quality=Quality(error=0.05, log_loss=0.2, auc=0.9, calibration_error=0.01),
    never_show=Baseline(error=0.15, log_loss=0.42),
    parity_max_abs=1e-8,
    finite=True,
    champion=Baseline(error=0.05, log_loss=0.2),
)


def failed(report: GateReport) -> set[CheckName]:
    """The names of the checks that did not pass."""
    return {check.name for check in report.checks if not check.passed}


def with_quality(**changes: float) -> Evidence:
    """The good evidence with other measures."""
    return replace(GOOD, quality=replace(GOOD.quality, **changes))


def test_good_candidate_passes_every_check() -> None:
    report = judge(GOOD)
    assert report.passed
    assert report.refusals == ()
    assert {check.name for check in report.checks} == set(CheckName)


def test_without_champion_nothing_is_compared_with_it() -> None:
    names = {check.name for check in judge(replace(GOOD, champion=None)).checks}
    assert names == set(CheckName) - {CheckName.CHAMPION_LOG_LOSS, CheckName.CHAMPION_ERROR}


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        (with_quality(error=0.1001), {CheckName.ERROR, CheckName.CHAMPION_ERROR}),
        (with_quality(log_loss=0.42), {CheckName.BEATS_NEVER_SHOW, CheckName.CHAMPION_LOG_LOSS}),
        (with_quality(log_loss=0.2101), {CheckName.CHAMPION_LOG_LOSS}),
        (with_quality(error=0.0551), {CheckName.CHAMPION_ERROR}),
        (with_quality(auc=0.52), {CheckName.RANKING}),
        (with_quality(auc=0.1), {CheckName.RANKING}),
        (with_quality(calibration_error=0.0501), {CheckName.CALIBRATION}),
        (replace(GOOD, parity_max_abs=1.01e-5), {CheckName.PARITY}),
        (replace(GOOD, finite=False), {CheckName.FINITE}),
    ],
)
def test_each_flaw_fails_its_own_check(evidence: Evidence, expected: set[CheckName]) -> None:
    report = judge(evidence)
    assert failed(report) == expected
    assert not report.passed
    assert len(report.refusals) == len(expected)


@pytest.mark.parametrize(
    "evidence",
    [
        with_quality(error=0.10, log_loss=0.2),
        with_quality(calibration_error=0.05),
        replace(GOOD, parity_max_abs=1e-5),
    ],
)
def test_limits_themselves_are_good_enough(evidence: Evidence) -> None:
    assert judge(replace(evidence, champion=None)).passed


@pytest.mark.parametrize("number", [math.nan, math.inf])
@pytest.mark.parametrize("measure", ["error", "log_loss", "auc", "calibration_error"])
def test_what_is_no_number_never_passes(measure: str, number: float) -> None:
    assert CheckName.FINITE in failed(judge(with_quality(**{measure: number})))


def test_parity_that_is_no_number_fails_twice() -> None:
    assert failed(judge(replace(GOOD, parity_max_abs=math.nan))) == {CheckName.FINITE, CheckName.PARITY}


def test_never_showing_does_not_pass_however_rare_clicks_are() -> None:
    rate = 0.02
    entropy = -(rate * math.log(rate) + (1 - rate) * math.log(1 - rate))
    constant = Quality(error=rate, log_loss=entropy, auc=0.5, calibration_error=0.0)
    evidence = Evidence(constant, Baseline(rate, entropy), parity_max_abs=0.0, finite=True)
    assert failed(judge(evidence)) == {CheckName.BEATS_NEVER_SHOW, CheckName.RANKING}


def test_limits_are_parameters() -> None:
    assert failed(judge(GOOD, Limits(error=0.04))) == {CheckName.ERROR}


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_golden_verdicts(path: Path) -> None:
    case = json.loads(path.read_text(encoding="utf-8"))
    report = judge(to_evidence(case["evidence"]))
    assert report.passed is case["passed"]
    assert list(report.refusals) == case["refusals"]


def test_golden_verdicts_exist() -> None:
    assert len(list(GOLDEN.glob("*.json"))) >= 5


def to_evidence(fields: dict[str, Any]) -> Evidence:
    """The evidence of a golden case."""
    champion = fields["champion"]
    return Evidence(
        quality=Quality(**fields["quality"]),
        never_show=Baseline(**fields["never_show"]),
        parity_max_abs=fields["parity_max_abs"],
        finite=fields["finite"],
        champion=Baseline(**champion) if champion else None,
    )
