"""Whether Spark, scikit-learn and ONNX Runtime give one row one probability."""

from typing import Final

import numpy as np
import onnxruntime
from pyspark.ml.functions import array_to_vector, vector_to_array
from pyspark.sql import DataFrame
from pyspark.sql import functions as sql
from sklearn.linear_model import LogisticRegression

from services.trainer.estimators import log_odds_per_margin, needs_sigmoid
from services.trainer.export import to_sklearn
from services.trainer.fitting import Candidate
from services.trainer.linear import Linear, Matrix, Predictor, Vector, sigmoid

EDGE_VALUES: Final[tuple[float, ...]] = (0.0, 1.0, 0.5, 1e-7, -1.0, 1e3)
"""Rows of one value throughout, beside the training rows: empty, full, tiny and impossible ones."""


def parity_max_abs(candidate: Candidate, model_file: bytes, frame: DataFrame) -> float:
    """The greatest difference between any two of the three, over all rows of `frame` and the edge rows."""
    features, spark = spark_probabilities(candidate, with_edge_rows(frame, candidate.predictor.width))
    return greatest_difference(
        spark, plain_probabilities(candidate.predictor, features), onnx_probabilities(model_file, features)
    )


def plain_probabilities(predictor: Predictor, features: Matrix) -> Vector:
    """What scikit-learn says of a linear model, shape (rows,); of trees, which it cannot be given, what their own numbers say."""
    if isinstance(predictor, Linear):
        return sklearn_probabilities(to_sklearn(predictor), features)
    return sigmoid(predictor.margins(features))


def greatest_difference(*answers: Vector) -> float:
    """The greatest difference within a row of answers of shape (rows,) each; not a number if any answer is not."""
    stacked = np.stack(answers)
    return float(np.max(stacked.max(axis=0) - stacked.min(axis=0)))


def with_edge_rows(frame: DataFrame, width: int) -> DataFrame:
    """The features of `frame` and the edge rows."""
    rows = [([value] * width,) for value in EDGE_VALUES]
    edges = frame.sparkSession.createDataFrame(rows, "edge array<float>")
    return frame.select("features").unionAll(edges.select(array_to_vector(sql.col("edge")).alias("features")))


def spark_probabilities(candidate: Candidate, frame: DataFrame) -> tuple[Matrix, Vector]:
    """Features (rows, features) and what Spark's own model says of them (rows,), a margin going through the calibrator."""
    is_calibrated = not needs_sigmoid(candidate.algorithm, candidate.setting.class_weight)
    answer = "probability" if is_calibrated else "rawPrediction"
    answered = candidate.spark_model.transform(frame).select(
        vector_to_array(sql.col("features"), "float32").alias("features"),
        vector_to_array(sql.col(answer))[1].alias("answer"),
    )
    table = answered.toArrow()
    width = candidate.predictor.width
    features = np.asarray(table["features"].combine_chunks().flatten(), np.float32).reshape(-1, width)
    answers = np.asarray(table["answer"], np.float64)
    if is_calibrated:
        return features, answers
    return features, candidate.calibrator.probabilities(log_odds_per_margin(candidate.algorithm) * answers)


def sklearn_probabilities(classifier: LogisticRegression, features: Matrix) -> Vector:
    """Shape (rows,), computed in double precision."""
    probabilities: Vector = classifier.predict_proba(features.astype(np.float64))[:, 1]
    return probabilities


def onnx_probabilities(model_file: bytes, features: Matrix) -> Vector:
    """Shape (rows,), as the decision service would compute it."""
    session = onnxruntime.InferenceSession(model_file, providers=["CPUExecutionProvider"])
    answers = session.run(["probabilities"], {session.get_inputs()[0].name: features})[0]
    probabilities: Vector = answers[:, 1].astype(np.float64)
    return probabilities
