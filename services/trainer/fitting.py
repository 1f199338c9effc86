"""Fitting with Spark MLlib: settings by cross-validation, honest answers out of fold, and the model on all rows."""

from collections.abc import Iterable
from dataclasses import dataclass
from multiprocessing.pool import ThreadPool
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from pyspark.sql import DataFrame
from pyspark.sql import functions as sql

from services.trainer.calibration import UNCHANGED, Sigmoid, fit_sigmoid, fold_sigmoids
from services.trainer.dataset import Rows
from services.trainer.estimators import ClassWeight, SparkModel, fit_spark, needs_sigmoid, positive_weight, to_predictor
from services.trainer.evaluation import cross_entropy
from services.trainer.linear import Algorithm, Matrix, Predictor, Vector, sigmoid
from services.trainer.splitting import Split

PARALLEL_FITS: Final = 2


@dataclass(frozen=True, slots=True)
class Plan:
    """How to fit: the regularisation values and class weights tried, the splits to choose among them and to measure the choice,
    and iterations at most."""

    regularisations: tuple[float, ...]
    class_weights: tuple[ClassWeight, ...]
    tuning: Split
    measuring: Split
    iterations: dict[Algorithm, int]

    @property
    def splits(self) -> set[Split]:
        """The splits whose folds the frame needs."""
        return {self.tuning, self.measuring}


class Setting(NamedTuple):
    """What cross-validation chooses."""

    regularisation: float
    class_weight: ClassWeight


@dataclass(frozen=True, slots=True)
class Candidate:
    """A fitted model. `predictor` gives probabilities by a plain sigmoid, calibrated already where that is needed, and so does
    that of each fold in `fold_predictors`, fitted without the fold; `out_of_fold` are their answers of shape (rows,)."""

    algorithm: Algorithm
    setting: Setting
    predictor: Predictor
    fold_predictors: tuple[Predictor, ...]
    out_of_fold: Vector
    spark_model: SparkModel
    calibrator: Sigmoid

    def held_out(self, features: Matrix, folds: npt.NDArray[np.int32]) -> Vector:
        """Probabilities for other rows of the same listeners, each by the model that did not see its fold; shape (rows,)."""
        return held_out(self.fold_predictors, features, folds)


@dataclass(frozen=True, slots=True)
class _Job:
    """One fit: on all rows but those of `fold`, or on all of them."""

    setting: Setting
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
        self._predictors: dict[_Job, Predictor] = {}

    def fit(self) -> Candidate:
        """The candidate: the setting chosen by log-loss on the tuning split, answers out of the measuring split."""
        setting = self._choose()
        measuring = self._plan.measuring
        everything = _Job(setting)
        self._run([*_jobs(setting, measuring), everything])
        calibrator = UNCHANGED
        if needs_sigmoid(self._algorithm, setting.class_weight):
            calibrator = fit_sigmoid(self._margins(setting, measuring), self._rows.labels, self._rows.weights)
        predictors = self._fold_predictors(setting, measuring)
        return Candidate(
            algorithm=self._algorithm,
            setting=setting,
            predictor=calibrator.folded_into(self._predictors[everything]),
            fold_predictors=predictors,
            out_of_fold=held_out(predictors, self._rows.features, self._rows.folds[measuring]),
            spark_model=self._models[everything],
            calibrator=calibrator,
        )

    def _choose(self) -> Setting:
        regularisations = self._plan.regularisations if self._algorithm is not Algorithm.BOOSTED else (0.0,)
        settings = [Setting(value, weight) for value in regularisations for weight in self._plan.class_weights]
        if len(settings) == 1:
            return settings[0]
        self._run(job for setting in settings for job in _jobs(setting, self._plan.tuning))
        return min(settings, key=lambda setting: self._log_loss(setting, self._plan.tuning))

    def _log_loss(self, setting: Setting, split: Split) -> float:
        answers = held_out(self._fold_predictors(setting, split), self._rows.features, self._rows.folds[split])
        return cross_entropy(self._rows.labels, answers, self._rows.weights)

    def _fold_predictors(self, setting: Setting, split: Split) -> tuple[Predictor, ...]:
        """One for each fold, calibrated where needed by what the other folds' models say."""
        predictors = [self._predictors[job] for job in _jobs(setting, split)]
        if not needs_sigmoid(self._algorithm, setting.class_weight):
            return tuple(predictors)
        sigmoids = fold_sigmoids(self._margins(setting, split), self._rows, split)
        return tuple(one.folded_into(predictor) for one, predictor in zip(sigmoids, predictors, strict=True))

    def _margins(self, setting: Setting, split: Split) -> Vector:
        predictors = [self._predictors[job] for job in _jobs(setting, split)]
        return _by_fold(predictors, self._rows.features, self._rows.folds[split])

    def _run(self, jobs: Iterable[_Job]) -> None:
        missing = [job for job in jobs if job not in self._models]
        with ThreadPool(PARALLEL_FITS) as pool:
            self._models.update(zip(missing, pool.map(self._fit_one, missing), strict=True))
        self._predictors.update((job, to_predictor(self._models[job])) for job in missing)

    def _fit_one(self, job: _Job) -> SparkModel:
        frame = self._frame if job.split is None else self._frame.where(sql.col(job.split.column) != job.fold)
        weight = positive_weight(job.setting.class_weight, self._rows.labels, self._rows.weights)
        iterations = self._plan.iterations[self._algorithm]
        return fit_spark(self._algorithm, frame, job.setting.regularisation, weight, iterations)


def held_out(predictors: tuple[Predictor, ...], features: Matrix, folds: npt.NDArray[np.int32]) -> Vector:
    """Probabilities, each row's by the predictor of its fold; shape (rows,)."""
    return sigmoid(_by_fold(predictors, features, folds))


def _by_fold(predictors: Iterable[Predictor], features: Matrix, folds: npt.NDArray[np.int32]) -> Vector:
    margins = np.empty(len(features))
    for fold, predictor in enumerate(predictors):
        margins[folds == fold] = predictor.margins(features[folds == fold])
    return margins


def _jobs(setting: Setting, split: Split) -> list[_Job]:
    return [_Job(setting, split, fold) for fold in range(split.folds)]
