"""The page: well-formed, self-contained, and saying what the verdict says."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast
from xml.etree import ElementTree

import numpy as np

from services.trainer.calibration import UNCHANGED
from services.trainer.curves import Curves, curves_of
from services.trainer.data_checks import DataReport
from services.trainer.estimators import ClassWeight
from services.trainer.fitting import Candidate, Setting
from services.trainer.gate import Evidence, judge
from services.trainer.linear import Algorithm, Linear
from services.trainer.page import to_page
from services.trainer.report import to_report
from services.trainer.training import Judged, Outcome
from tests.unit.trainer.gate_cases import GOOD


def outcome(evidence: Evidence, curves: Curves) -> Outcome:
    """A run with one candidate."""
    linear = Linear(np.zeros(6), 0.0)
    setting = Setting(0.001, ClassWeight.PLAIN)
    spark_model = cast(Any, SimpleNamespace())
    candidate = Candidate(Algorithm.SVM, setting, linear, (linear,), np.zeros(4), spark_model, UNCHANGED)
    verdict = judge(evidence)
    judged = Judged(candidate, b"", evidence, verdict, curves)
    published = "abcdef0123456789" if verdict.passed else ""
    return Outcome(
        data=DataReport(5000, 0.1484, (), {}, {}),
        rows=5000,
        positives=742,
        judged=(judged,),
        chosen=judged,
        champion_version="fedcba9876543210",
        published=published,
        promoted=bool(published),
        skipped={},
        seconds={"total": 1.0},
    )


def some_curves() -> Curves:
    """Of a model that is right most of the time."""
    chance = np.random.default_rng(1)
    probabilities = chance.random(2000)
    labels = (chance.random(2000) < probabilities).astype(np.float64)
    return curves_of(labels, probabilities, np.ones(2000))


def test_the_page_is_well_formed_and_needs_nothing_else() -> None:
    page = to_page(outcome(GOOD, some_curves()))
    root = ElementTree.fromstring(page.removeprefix("<!doctype html>").replace('<meta charset="utf-8">', ""))
    assert len(list(root.iter("svg"))) == 5
    assert "http" not in page
    assert "<script" not in page
    assert "Promoted: svm abcdef0123456789" in page
    for check in judge(GOOD).checks:
        assert check.name.value in page


def test_a_refusal_is_said_in_its_sentence_and_markup_in_names_is_text() -> None:
    slices = (replace(GOOD.slices[0], name="<b>", gap=0.5),)
    bad = replace(GOOD, quality=replace(GOOD.quality, error=0.5), slices=slices, off_policy=None)
    page = to_page(outcome(bad, some_curves()))
    assert "Refused: svm" in page
    assert "50.00% of the answers are wrong" in page
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    assert "no logged decisions were given" in page


def test_a_model_of_no_numbers_has_a_page_and_a_report_all_the_same() -> None:
    empty = curves_of(np.array([0.0, 1.0]), np.array([np.nan, 0.5]), np.ones(2))
    assert empty == Curves((), (), ())
    bad = replace(GOOD, quality=replace(GOOD.quality, log_loss=float("nan")), finite=False, parity_max_abs=float("inf"))
    assert "Refused" in to_page(outcome(bad, empty))
    report = to_report(outcome(bad, empty))
    assert report["svm"]["log_loss"] is None
    assert report["parity_max_abs"] is None
    assert report["champion"] == {"version": "fedcba9876543210", "error": 0.05, "log_loss": 0.2}
    assert report["evidence"]["off_policy"]["decisions"] == 5000


def test_curves_hold_every_row_once() -> None:
    curves = some_curves()
    assert sum(rows for _, _, rows in curves.calibration) == 2000
    assert sum(without + clicked for without, clicked in curves.scores) == 2000
    assert (curves.roc[0], curves.roc[-1]) == ((0.0, 0.0), (1.0, 1.0))
