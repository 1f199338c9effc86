"""Spark's estimators, and what they fit as numbers."""

from enum import StrEnum
from typing import Final, assert_never

import numpy as np
from pyspark.ml.classification import (
    GBTClassificationModel,
    GBTClassifier,
    LinearSVC,
    LinearSVCModel,
    LogisticRegression,
    LogisticRegressionModel,
)
from pyspark.sql import DataFrame
from pyspark.sql import functions as sql

from services.trainer.dataset import WEIGHT
from services.trainer.linear import Algorithm, Linear, Predictor, Vector
from services.trainer.trees import LOG_ODDS_PER_MARGIN, trees_of

SparkModel = LogisticRegressionModel | LinearSVCModel | GBTClassificationModel

TREE_DEPTH: Final = 3
STEP_SIZE: Final = 0.2
TREE_SEED: Final = 42
"""Shallow trees in small steps: six shares of a few dozen listens hold no interactions of many, and noise enough."""

_FIT_WEIGHT: Final = "fit_weight"


class ClassWeight(StrEnum):
    """What a click weighs against a row without one; the value is the name in reports."""

    PLAIN = "plain"
    """As much."""
    BALANCED = "balanced"
    """So much that all clicks weigh as much as all others; probabilities are set right by a sigmoid afterwards."""


def positive_weight(weight: ClassWeight, labels: Vector, weights: Vector) -> float:
    """How many rows without a click one with a click weighs; `labels` hold both kinds, both of shape (rows,)."""
    clicked = float(labels @ weights)
    return (float(weights.sum()) - clicked) / clicked if weight is ClassWeight.BALANCED else 1.0


def needs_sigmoid(algorithm: Algorithm, weight: ClassWeight) -> bool:
    """Whether margins are no log odds by themselves."""
    return algorithm is Algorithm.SVM or weight is not ClassWeight.PLAIN


def log_odds_per_margin(algorithm: Algorithm) -> float:
    """What a raw margin of Spark's is multiplied with before it counts as log odds."""
    return LOG_ODDS_PER_MARGIN if algorithm is Algorithm.BOOSTED else 1.0


def fit_spark(
    algorithm: Algorithm, frame: DataFrame, regularisation: float, click_weight: float, iterations: int
) -> SparkModel:
    """One fit on the columns `label`, `features` and, where there is one, `weight`; `regularisation` is of no meaning to boosted
    trees."""
    estimator = _estimator(algorithm, regularisation, iterations)
    weighed = WEIGHT in frame.columns
    if weighed or click_weight != 1:
        row_weight = sql.col(WEIGHT) if weighed else sql.lit(1.0)
        frame = frame.withColumn(_FIT_WEIGHT, row_weight * sql.when(sql.col("label") > 0, click_weight).otherwise(1.0))
        estimator = estimator.setWeightCol(_FIT_WEIGHT)
    model: SparkModel = estimator.fit(frame)
    return model


def _estimator(
    algorithm: Algorithm, regularisation: float, iterations: int
) -> LogisticRegression | LinearSVC | GBTClassifier:
    match algorithm:
        case Algorithm.BOOSTED:
            return GBTClassifier(maxIter=iterations, maxDepth=TREE_DEPTH, stepSize=STEP_SIZE, seed=TREE_SEED)
        case Algorithm.LOGISTIC:
            return LogisticRegression(regParam=regularisation, maxIter=iterations, standardization=True)
        case Algorithm.SVM:
            return LinearSVC(regParam=regularisation, maxIter=iterations, standardization=True)
        case _:
            assert_never(algorithm)


def to_predictor(model: SparkModel) -> Predictor:
    """The numbers of a Spark model, in the features' own units."""
    if isinstance(model, GBTClassificationModel):
        return trees_of(model)
    return Linear(np.asarray(model.coefficients.toArray(), np.float64), float(model.intercept))
