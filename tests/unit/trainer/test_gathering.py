"""Evidence: the same numbers as by the measures alone, weighted, and judged end to end on a log whose truth is known."""

from dataclasses import replace

import numpy as np

from services.trainer.dataset import Rows
from services.trainer.evaluation import cross_entropy
from services.trainer.gate import CheckName, judge
from services.trainer.gathering import Answers, Gatherer
from services.trainer.linear import Matrix, Vector
from services.trainer.logged_decisions import Decisions

COST = 0.5
EXPLORATION = 0.2


def some_log() -> tuple[Rows, Decisions, Vector, Vector]:
    """Rows and decisions of a policy that is fairly good, and the truth on both."""
    chance = np.random.default_rng(1)
    features: Matrix = chance.random((30_000, 6)).astype(np.float32)
    truth = 1 / (1 + np.exp(-14 * (features[:, 0].astype(np.float64) - 0.7)))
    propensity = np.where(features[:, 0] + chance.normal(0, 0.05, 30_000) >= 0.7, 1.0, EXPLORATION)
    shown = chance.random(30_000) < propensity
    clicked = shown & (chance.random(30_000) < truth)
    customers = np.arange(30_000)
    decisions = Decisions(features, shown, propensity, clicked, customers, (customers % 2).astype(np.int32))
    rows = replace(
        Rows.plain(clicked[shown].astype(np.float64), features[shown], {}),
        groups=customers[shown],
        weights=1 / propensity[shown],
    )
    return rows, decisions, truth[shown], truth


def test_the_truth_passes_and_its_opposite_fails_every_comparison() -> None:
    rows, decisions, on_rows, on_decisions = some_log()
    champion = Answers(on_rows, COST, on_decisions)
    gatherer = Gatherer(rows, decisions, champion, seed=1)
    evidence = gatherer.gather(champion, 0.0, finite=True)
    assert judge(evidence).passed, judge(evidence).refusals
    assert evidence.quality.log_loss == cross_entropy(rows.labels, on_rows, rows.weights)
    assert evidence.gain.value > 0.2
    assert evidence.off_policy is not None
    assert evidence.off_policy.difference.value == 0
    worth = float(np.mean(np.maximum(on_decisions - COST, 0)))
    assert evidence.off_policy.candidate.doubly_robust.low < worth < evidence.off_policy.candidate.doubly_robust.high

    opposite = gatherer.gather(Answers(1 - on_rows, COST, 1 - on_decisions), 0.0, finite=True)
    failed = {check.name for check in judge(opposite).checks if not check.passed}
    assert failed == set(CheckName) - {CheckName.FINITE, CheckName.PARITY}


def test_what_the_candidate_would_change_is_valued() -> None:
    rows, decisions, on_rows, on_decisions = some_log()
    gatherer = Gatherer(rows, decisions, Answers(on_rows, 0.8, on_decisions), seed=1)
    off_policy = gatherer.gather(Answers(on_rows, COST, on_decisions), 0.0, finite=True).off_policy
    assert off_policy is not None
    between = (on_decisions >= COST) & (on_decisions < 0.8)
    assert off_policy.disagreement == float(np.mean(between))
    gained = float(np.mean(between * (on_decisions - COST)))
    assert off_policy.difference.low < gained < off_policy.difference.high
    assert off_policy.worst == -COST * off_policy.disagreement


def test_without_champion_or_decisions_there_is_nothing_to_compare() -> None:
    rows, _, on_rows, on_decisions = some_log()
    answers = Answers(on_rows, COST, on_decisions)
    alone = Gatherer(rows, None, None, seed=1).gather(answers, 0.0, finite=True)
    assert alone.champion is None
    assert alone.off_policy is None
    beside = Gatherer(rows, None, answers, seed=1).gather(answers, 0.0, finite=True)
    assert beside.champion is not None
    assert beside.off_policy is None


def test_answers_that_are_no_numbers_are_refused() -> None:
    rows, decisions, on_rows, on_decisions = some_log()
    broken = np.where(np.arange(len(on_rows)) == 3, np.nan, on_rows)
    gatherer = Gatherer(rows, decisions, Answers(on_rows, COST, on_decisions), seed=1)
    report = judge(gatherer.gather(Answers(broken, COST, on_decisions), np.nan, finite=False))
    assert not report.passed
    assert CheckName.FINITE in {check.name for check in report.checks if not check.passed}
