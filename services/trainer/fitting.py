"""Fitting with Spark MLlib: regularisation by cross-validation, honest answers out of fold, and the model on all rows."""

from collections.abc import Iterable
from dataclasses import dataclass
from multiprocessing.pool import ThreadPool
from typing import Final

import numpy as np
from pyspark.ml.classification import (
    LinearSVC,
    LinearSVCModel,
    LogisticRegression,
    LogisticRegressionModel,
)
from pyspark.sql import DataFrame
from pyspark.sql import functions as sql

from services.trainer.calibration import UNCHANGED, Sigmoid, cross_fitted, fit_sigmoid
from services.trainer.dataset import Rows, Split
from services.trainer.evaluation import cross_entropy
from services.trainer.linear import Algorithm, Linear, Vector, sigmoid

PARALLEL_FITS: Final = 2

SparkModel = LogisticRegressionModel | LinearSVCModel


@dataclass(frozen=True, slots=True)
class Plan:
    """How to fit: the regularisation values tried, the splits to choose one and to measure it, and iterations at most."""

    regularisations: tuple[float, ...]
    tuning: Split
    measuring: Split
    iterations: dict[Algorithm, int]

    @property
    def splits(self) -> set[Split]:
        """The splits whose folds the frame needs."""
        return {self.tuning, self.measuring}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A fitted model. `linear` gives probabilities by a plain sigmoid (a support vector machine's is calibrated already);
    `out_of_fold` are probabilities of shape (rows,), each by a model that did not see the row's fold."""

    algorithm: Algorithm
    regularisation: float
    linear: Linear
    out_of_fold: Vector
    spark_model: SparkModel
    calibrator: Sigmoid


@dataclass(frozen=True, slots=True)
class _Job:
    """One fit: on all rows but those of `fold`, or on all of them."""

    regularisation: float
    split: Split | None = None
    fold: int = -1


class Fitter:
    """Fits one algorithm on one cached frame; what was fitted once is not fitted again."""

    def __init__(self, algorithm: Algorithm, frame: DataFrame, rows: Rows, plan: Plan) -> None:
        self._algorithm = algorithm
        self._frame = frame
        self._rows = rows
        self._plan = plan
        self._models: dict[_Job, SparkModel] = {}

    def fit(self) -> Candidate:
        """The candidate: regularisation chosen by log-loss on the tuning split, answers out of the measuring split."""
        regularisation = self._choose()
        measuring = self._plan.measuring
        self._run([*_jobs((regularisation,), measuring), _Job(regularisation)])
        margins = self._out_of_fold(regularisation, measuring)
        calibrator = UNCHANGED if self._algorithm is Algorithm.LOGISTIC else fit_sigmoid(margins, self._rows.labels)
        model = self._models[_Job(regularisation)]
        return Candidate(
            algorithm=self._algorithm,
            regularisation=regularisation,
            linear=calibrator.folded_into(to_linear(model)),
            out_of_fold=self._probabilities(margins, measuring),
            spark_model=model,
            calibrator=calibrator,
        )

    def _choose(self) -> float:
        values, tuning = self._plan.regularisations, self._plan.tuning
        if len(values) == 1:
            return values[0]
        self._run(_jobs(values, tuning))
        return min(values, key=lambda value: self._log_loss(value, tuning))

    def _log_loss(self, regularisation: float, split: Split) -> float:
        probabilities = self._probabilities(self._out_of_fold(regularisation, split), split)
        return cross_entropy(self._rows.labels, probabilities)

    def _probabilities(self, margins: Vector, split: Split) -> Vector:
        if self._algorithm is Algorithm.LOGISTIC:
            return sigmoid(margins)
        return cross_fitted(margins, self._rows.labels, self._rows.folds[split])

    def _out_of_fold(self, regularisation: float, split: Split) -> Vector:
        margins = np.empty(self._rows.labels.shape)
        for job in _jobs((regularisation,), split):
            held_out = self._rows.folds[split] == job.fold
            margins[held_out] = to_linear(self._models[job]).margins(self._rows.features[held_out])
        return margins

    def _run(self, jobs: Iterable[_Job]) -> None:
        missing = [job for job in jobs if job not in self._models]
        with ThreadPool(PARALLEL_FITS) as pool:
            self._models.update(zip(missing, pool.map(self._fit_one, missing), strict=True))

    def _fit_one(self, job: _Job) -> SparkModel:
        frame = self._frame if job.split is None else self._frame.where(sql.col(job.split.column) != job.fold)
        estimator = _estimator(self._algorithm, job.regularisation, self._plan.iterations[self._algorithm])
        model: SparkModel = estimator.fit(frame)
        return model


def to_linear(model: SparkModel) -> Linear:
    """The numbers of a Spark model, in the features' own units."""
    return Linear(np.asarray(model.coefficients.toArray(), np.float64), float(model.intercept))


def _jobs(regularisations: tuple[float, ...], split: Split) -> list[_Job]:
    return [_Job(value, split, fold) for value in regularisations for fold in range(split.folds)]


def _estimator(algorithm: Algorithm, regularisation: float, iterations: int) -> LogisticRegression | LinearSVC:
    estimator = LogisticRegression if algorithm is Algorithm.LOGISTIC else LinearSVC
    return estimator(regParam=regularisation, maxIter=iterations, standardization=True)
