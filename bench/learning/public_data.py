"""The public features file of this problem, ten folds, as its published error was measured."""

import tempfile
from pathlib import Path
from typing import Final

from pyspark.sql import SparkSession

from bench.measured import Figure
from interlude.models.store import ModelStore
from services.trainer.arguments import build_parser, to_request
from services.trainer.dataset import read_features_file
from services.trainer.linear import Algorithm
from services.trainer.training import Stopwatch, Trainer

_OPTIONS: Final = (
    "--folds",
    "10",
    "--regularisations",
    "0",
    "--class-weights",
    "plain",
    "--algorithms",
    "logistic,svm",
)
_KEY: Final = "aW50ZXJsdWRlIGJlbmNoLCBubyBrZXkgdG8ga2VlcCE="
PUBLISHED_ERROR: Final = 0.01055


def measure(spark: SparkSession, features_file: Path) -> dict[str, Figure]:
    """Errors of both algorithms out of fold, unregularised, and the worst difference of the three runtimes on any row."""
    arguments = build_parser().parse_args(["train", "--features-file", str(features_file), *_OPTIONS])
    with tempfile.TemporaryDirectory(prefix="interlude-public-") as directory:
        trainer = Trainer(ModelStore(str(Path(directory) / "models")), _KEY, lambda: 1)
        outcome = trainer.train(lambda: read_features_file(spark, features_file), to_request(arguments), Stopwatch())
    found = {one.candidate.algorithm: one for one in outcome.judged}
    under = f"10 folds of {outcome.rows:,} rows, unregularised; published: {PUBLISHED_ERROR}"
    figures = {
        f"libsvm_{name}_error": Figure(round(found[algorithm].quality.error, 6), "share", under)
        for name, algorithm in (("logistic", Algorithm.LOGISTIC), ("svm", Algorithm.SVM))
    }
    logistic = found[Algorithm.LOGISTIC]
    figures["libsvm_logistic_auc"] = Figure(round(logistic.quality.auc, 6), "AUC", under)
    worst = max(one.parity_max_abs for one in outcome.judged)
    figures["parity_max_abs"] = Figure(
        worst, "probability", "Spark, scikit-learn, ONNX Runtime; every row and edge rows"
    )
    return figures
