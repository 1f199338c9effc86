"""Whether anything of the outcome leaks into the features: with outcomes dealt anew, nothing may be learnt."""

from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt
from pyspark.sql import SparkSession

from bench.learning.loop import POLICY, training_set
from bench.learning.playing import Played, play
from bench.learning.world import draw_listeners
from bench.measured import Figure
from services.trainer.arguments import build_parser, to_request
from services.trainer.dataset import cached, to_rows
from services.trainer.evaluation import evaluate
from services.trainer.fitting import Fitter
from services.trainer.linear import Algorithm

LISTENERS: Final = 40_000
_OPTIONS: Final = ("--folds", "3", "--regularisations", "0.001", "--class-weights", "plain")


def measure(spark: SparkSession) -> dict[str, Figure]:
    """AUC out of fold of the trainer's logistic regression on outcomes that were shuffled among the shown decisions."""
    chance = np.random.default_rng(31)
    listeners = draw_listeners(chance, LISTENERS)
    played = play(chance, listeners, np.zeros(LISTENERS), POLICY, asked=2)
    plan = to_request(build_parser().parse_args(["train", "--features-file", "-", *_OPTIONS])).plan
    figures = {}
    for name, clicked in (("auc", played.clicked), ("shuffled_auc", _shuffled(chance, played))):
        changed = replace(played, clicked=clicked)
        frame = cached(training_set(spark, changed, listeners).frame, plan.splits)
        rows = to_rows(frame, plan.splits)
        candidate = Fitter(Algorithm.LOGISTIC, frame, rows, plan).fit()
        auc = evaluate(rows.labels, candidate.out_of_fold, rows.weights).auc
        figures[name] = Figure(round(auc, 4), "AUC", f"{len(rows.labels):,} impressions at random")
        spark.catalog.clearCache()
    return figures


def _shuffled(chance: np.random.Generator, played: Played) -> npt.NDArray[np.bool_]:
    clicked = played.clicked.copy()
    clicked[played.shown] = chance.permutation(clicked[played.shown])
    return clicked
