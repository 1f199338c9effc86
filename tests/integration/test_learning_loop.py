"""Rounds of the closed loop on real Spark: decisions become rows, rows a judged model, the model decides."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import SparkSession

from bench.learning.loop import POLICY, run, training_set
from bench.learning.playing import Policy, play
from bench.learning.world import draw_listeners
from interlude.models.store import ModelStore
from services.trainer.arguments import build_parser, to_request
from services.trainer.estimators import ClassWeight
from services.trainer.gate import CheckName
from services.trainer.logged_decisions import to_decisions
from services.trainer.page import to_page
from services.trainer.session import spark_session
from services.trainer.splitting import Split
from services.trainer.training import Stopwatch, Trainer

pytestmark = pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning")

KEY = "aW50ZXJsdWRlIHRlc3RzLCBubyBrZXkgdG8ga2VlcCE="


@pytest.fixture(scope="module")
def spark() -> Iterator[SparkSession]:
    """One session for all tests of this file."""
    with spark_session("local[2]", "") as session:
        yield session


def test_two_rounds_from_nothing_come_near_the_best_policy(spark: SparkSession) -> None:
    first, second = run(spark, rounds=2, listeners=8000)
    assert first.outcome.promoted, first.outcome.chosen.verdict.refusals
    assert first.outcome.champion_version == ""
    assert first.value_ratio >= 0.85
    assert second.outcome.champion_version == first.outcome.published
    evidence = second.outcome.chosen.evidence
    assert evidence.champion is not None
    assert evidence.off_policy is not None
    assert evidence.off_policy.decisions > 30_000
    names = {check.name for check in second.outcome.chosen.verdict.checks}
    assert names == set(CheckName)
    assert {one.dimension for one in evidence.slices} == {"gender", "age", "device"}
    assert "DR" in to_page(second.outcome)


def test_decisions_without_a_chance_to_be_shown_are_not_usable(spark: SparkSession) -> None:
    chance = np.random.default_rng(1)
    listeners = draw_listeners(chance, 2000)
    scores = listeners.probability
    unexplored = play(chance, listeners, scores, Policy(0.5, 0.0, 0.0), asked=1)
    decisions = to_decisions(spark.createDataFrame(unexplored.to_table(listeners)), Split(3, 1))
    assert decisions is not None
    assert decisions.shown.all()
    assert len(decisions.shown) == int((scores >= 0.5).sum())
    explored = play(chance, listeners, scores, POLICY, asked=1)
    frame = spark.createDataFrame(explored.to_table(listeners))
    everything = to_decisions(frame, Split(3, 1))
    assert everything is not None
    assert len(everything.shown) == 2000
    assert set(np.unique(everything.folds)) == {0, 1, 2}
    assert to_decisions(frame.where("reason = 4"), Split(3, 1)) is None


def test_boosted_trees_and_weighted_classes_serve_what_spark_says(spark: SparkSession, tmp_path: Path) -> None:
    chance = np.random.default_rng(2)
    listeners = draw_listeners(chance, 6000)
    everybody = play(chance, listeners, np.ones(6000), Policy(0.5, 0.0, 0.0), asked=1)
    line = "train --features-file - --folds 2 --tuning-folds 2 --regularisations 0.001 --boosted-iterations 5"
    options = ["--algorithms", "boosted,logistic", "--class-weights", "balanced"]
    request = to_request(build_parser().parse_args([*line.split(), *options]))
    trainer = Trainer(ModelStore(str(tmp_path)), KEY, lambda: 1)
    outcome = trainer.train(lambda: training_set(spark, everybody, listeners), request, Stopwatch())
    for judged in outcome.judged:
        assert judged.parity_max_abs <= 1e-5
        assert judged.candidate.setting.class_weight is ClassWeight.BALANCED
        assert judged.quality.calibration_error <= 0.02 + judged.quality.calibration_by_chance
        assert judged.quality.auc > 0.9
    assert outcome.published
