"""From a training set to a verdict, and to a version when the verdict is good. Readable top to bottom: `train`."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from pyspark.sql import DataFrame

from services.trainer.curves import Curves, curves_of
from services.trainer.data_checks import DataReport, check_rows
from services.trainer.dataset import Rows, TrainingSet, UnusableRows, cached, to_rows
from services.trainer.export import to_model_file
from services.trainer.fitting import Candidate, Fitter, Plan
from services.trainer.gate import Evidence, GateReport, Limits, Quality, judge
from services.trainer.gathering import Answers, Gatherer
from services.trainer.linear import Algorithm
from services.trainer.logged_decisions import Decisions, to_decisions
from services.trainer.parity import parity_max_abs
from services.trainer.publishing import Release, ServingModel, Versions, champion_of, champion_summary, publish


@dataclass(frozen=True, slots=True)
class Request:
    """What `train` is asked for. `threshold` is the probability from which the model serves the offer. Rows of
    `another_population` are not compared with those that the champion was trained on."""

    algorithms: tuple[Algorithm, ...]
    plan: Plan
    limits: Limits
    threshold: float
    promote: bool
    another_population: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    """A candidate with its file, its measures and its verdict."""

    candidate: Candidate
    model_file: bytes
    evidence: Evidence
    verdict: GateReport
    curves: Curves

    @property
    def quality(self) -> Quality:
        """Its measures, out of fold."""
        return self.evidence.quality

    @property
    def parity_max_abs(self) -> float:
        """The greatest difference of the runtimes."""
        return self.evidence.parity_max_abs


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out. `chosen` is the best that passed, or the best of all when none did; `published` is empty then."""

    data: DataReport
    rows: int
    positives: int
    judged: tuple[Judged, ...]
    chosen: Judged
    champion_version: str
    published: str
    promoted: bool
    skipped: dict[str, int]
    seconds: dict[str, float]


@dataclass(slots=True)
class Stopwatch:
    """Seconds per named step."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure what happens inside."""
        start = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - start, 3)


class Trainer:
    """Trains on any training set; publishes into one model store, signing with one key."""

    def __init__(self, versions: Versions, private_key_base64: str, now_ms: Callable[[], int]) -> None:
        self._versions = versions
        self._key = private_key_base64
        self._now_ms = now_ms

    def train(self, read: Callable[[], TrainingSet], request: Request, watch: Stopwatch) -> Outcome:
        """Read, fit, measure, judge, publish. Raises `UnusableRows` when there is nothing to train on."""
        with watch.step("read"):
            training_set = read()
            frame = cached(training_set.frame, request.plan.splits)
            rows = to_rows(frame, request.plan.splits, training_set.names)
            data = self._check(training_set, rows, request)
        candidates = []
        for algorithm in request.algorithms:
            with watch.step(algorithm.value):
                candidates.append(Fitter(algorithm, frame, rows, request.plan).fit())
        with watch.step("judge"):
            champion = champion_of(self._versions, self._key)
            judging = _Judging(frame, rows, _decisions_of(training_set, request), champion, request)
            judged = [judging.judge(one) for one in candidates]
        chosen = best_of(judged)
        with watch.step("publish"):
            published = self._publish(chosen, rows, training_set, data, request)
        return Outcome(
            data=data,
            rows=len(rows.labels),
            positives=rows.positives,
            judged=tuple(judged),
            chosen=chosen,
            champion_version=champion.version if champion else "",
            published=published,
            promoted=bool(published) and request.promote,
            skipped=training_set.skipped,
            seconds=watch.seconds,
        )

    def _check(self, training_set: TrainingSet, rows: Rows, request: Request) -> DataReport:
        data = check_rows(
            rows.labels,
            rows.features,
            training_set.repeated,
            {} if request.another_population else champion_summary(self._versions, self._key),
            rows.names,
        )
        if data.refusals:
            raise UnusableRows("; ".join(data.refusals))
        return data

    def _publish(
        self, chosen: Judged, rows: Rows, training_set: TrainingSet, data: DataReport, request: Request
    ) -> str:
        if not chosen.verdict.passed:
            return ""
        release = Release(
            algorithm=chosen.candidate.algorithm.value,
            model_file=chosen.model_file,
            threshold=request.threshold,
            metrics=_metrics(chosen),
            trained_at_ms=self._now_ms(),
            training_source=training_set.source,
            training_summary=data.summary,
        )
        version = publish(self._versions, release, rows, self._key)
        if request.promote:
            self._versions.promote(version)
        return version


def best_of(judged: list[Judged]) -> Judged:
    """The one with the lowest log-loss of those that passed; of all when none did."""
    passed = [one for one in judged if one.verdict.passed]
    return min(passed or judged, key=lambda one: float(np.nan_to_num(one.quality.log_loss, nan=np.inf)))


def _decisions_of(training_set: TrainingSet, request: Request) -> Decisions | None:
    if training_set.decisions is None:
        return None
    return to_decisions(training_set.decisions, request.plan.measuring)


class _Judging:
    """Measures and judges candidates, each on the same rows and beside the same champion."""

    def __init__(
        self, frame: DataFrame, rows: Rows, decisions: Decisions | None, champion: ServingModel | None, request: Request
    ) -> None:
        self._frame = frame
        self._rows = rows
        self._decisions = decisions
        self._request = request
        answers = None
        if champion is not None:
            on_decisions = champion.probabilities(decisions.features, rows.names) if decisions else None
            answers = Answers(champion.probabilities(rows.features, rows.names), champion.threshold, on_decisions)
        self._gatherer = Gatherer(rows, decisions, answers, request.plan.measuring.seed)

    def judge(self, candidate: Candidate) -> Judged:
        """The candidate with its file, its measures and its verdict."""
        model_file = to_model_file(candidate.predictor)
        parity = parity_max_abs(candidate, model_file, self._frame)
        decisions = self._decisions
        on_decisions = candidate.held_out(decisions.features, decisions.folds) if decisions else None
        answers = Answers(candidate.out_of_fold, self._request.threshold, on_decisions)
        evidence = self._gatherer.gather(answers, parity, finite=candidate.predictor.is_finite)
        return Judged(
            candidate=candidate,
            model_file=model_file,
            evidence=evidence,
            verdict=judge(evidence, self._request.limits),
            curves=curves_of(self._rows.labels, candidate.out_of_fold, self._rows.weights),
        )


def _metrics(judged: Judged) -> dict[str, float]:
    quality = judged.quality
    return {
        "error": quality.error,
        "auc": quality.auc,
        "log_loss": quality.log_loss,
        "calibration_error": quality.calibration_error,
        "parity_max_abs": judged.parity_max_abs,
        "regularisation": judged.candidate.setting.regularisation,
    }
