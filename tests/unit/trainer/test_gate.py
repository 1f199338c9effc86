"""The gate: every check on its own, at its limit and beyond; whole verdicts as JSON files that a product manager can read."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from services.trainer.gate import Baseline, CheckName, Evidence, GateReport, Interval, Limits, Quality, judge
from tests.unit.trainer.gate_cases import GOOD, SLICE, to_evidence

GOLDEN: Final = Path(__file__).resolve().parents[2] / "golden" / "gate"


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


def test_what_is_not_known_is_not_checked_and_said_so() -> None:
    report = judge(replace(GOOD, champion=None, slices=(), off_policy=None))
    of_champion = {CheckName.CHAMPION_LOG_LOSS, CheckName.CHAMPION_ERROR, CheckName.DECISION_RATE}
    names = {check.name for check in report.checks}
    assert names == set(CheckName) - of_champion - {CheckName.SLICES, CheckName.OFF_POLICY}
    assert report.passed
    assert report.not_checked == (
        "There is no champion to compare with.",
        "No slice of the listeners has 200 rows.",
        "Values were not estimated from the log: there is no champion.",
    )
    assert judge(GOOD).not_checked == ()


def with_champion(**changes: Any) -> Evidence:
    """The good evidence with another comparison."""
    assert GOOD.champion is not None
    return replace(GOOD, champion=replace(GOOD.champion, **changes))


def with_slice(**changes: Any) -> Evidence:
    """The good evidence with another slice."""
    return replace(GOOD, slices=(replace(SLICE, **changes),))


def with_off_policy(**changes: Any) -> Evidence:
    """The good evidence with other estimates."""
    assert GOOD.off_policy is not None
    return replace(GOOD, off_policy=replace(GOOD.off_policy, **changes))


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        (with_quality(error=0.1001), CheckName.ERROR),
        (replace(GOOD, gain=Interval(0.01, 0.0, 0.02)), CheckName.BEATS_NEVER_SHOW),
        (with_quality(auc=0.52), CheckName.RANKING),
        (with_quality(auc=0.1), CheckName.RANKING),
        (with_quality(calibration_error=0.0301), CheckName.CALIBRATION),
        (with_quality(calibration_by_chance=0.0, calibration_error=0.0201), CheckName.CALIBRATION),
        (replace(GOOD, parity_max_abs=1.01e-5), CheckName.PARITY),
        (replace(GOOD, finite=False), CheckName.FINITE),
        (with_champion(log_loss=Interval(0.005, 0.0, 0.0101)), CheckName.CHAMPION_LOG_LOSS),
        (with_champion(error=Interval(0.005, 0.0, 0.0101)), CheckName.CHAMPION_ERROR),
        (with_champion(share_shown=0.3401), CheckName.DECISION_RATE),
        (with_champion(share_shown=0.0, champion_share_shown=0.2001), CheckName.DECISION_RATE),
        (with_slice(harm=Interval(0.05, 0.0201, 0.08)), CheckName.SLICES),
        (with_slice(harm_over_champion=Interval(0.05, 0.0201, 0.08)), CheckName.SLICES),
        (with_slice(gap=0.0701), CheckName.SLICES),
        (with_slice(gap=-0.0701), CheckName.SLICES),
        (with_off_policy(difference=Interval(0.0, -0.0051, 0.005)), CheckName.OFF_POLICY),
        (with_off_policy(effective_rows=29.0), CheckName.OFF_POLICY),
    ],
)
def test_each_flaw_fails_its_own_check(evidence: Evidence, expected: CheckName) -> None:
    report = judge(evidence)
    assert failed(report) == {expected}
    assert not report.passed
    assert len(report.refusals) == 1


@pytest.mark.parametrize(
    "evidence",
    [
        with_quality(error=0.10),
        with_quality(calibration_error=0.03),
        replace(GOOD, parity_max_abs=1e-5),
        with_champion(log_loss=Interval(0.005, 0.0, 0.01), error=Interval(0.005, 0.0, 0.01)),
        with_slice(harm=Interval(0.05, 0.02, 0.08), gap=0.07),
        with_off_policy(difference=Interval(0.0, -0.005, 0.005)),
    ],
)
def test_limits_themselves_are_good_enough(evidence: Evidence) -> None:
    assert judge(evidence).passed


def test_slices_with_few_rows_are_not_judged() -> None:
    assert judge(with_slice(rows=199, harm=Interval(1.0, 0.9, 1.1))).passed


def test_few_impressions_are_not_believed_but_little_at_stake_is_let_through() -> None:
    believed = with_off_policy(difference=Interval(0.1, 0.05, 0.15), effective_rows=5.0)
    assert failed(judge(believed)) == {CheckName.OFF_POLICY}
    assert judge(with_off_policy(effective_rows=0.0, worst=-0.004)).passed
    assert judge(with_off_policy(difference=Interval(0.0, -0.02, 0.02), worst=-0.004)).passed


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
    evidence = Evidence(constant, Baseline(rate, entropy), Interval(0.0, 0.0, 0.0), parity_max_abs=0.0, finite=True)
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
    assert len(list(GOLDEN.glob("*.json"))) >= 10
