"""From a training set to a verdict, and to a version when the verdict is good. Readable top to bottom: `train`."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from pyspark.sql import DataFrame

from services.trainer.data_checks import DataReport, check_rows
from services.trainer.dataset import Rows, TrainingSet, UnusableRows, cached, to_rows
from services.trainer.evaluation import evaluate, never_show
from services.trainer.export import to_onnx_file, to_sklearn
from services.trainer.fitting import Candidate, Fitter, Plan
from services.trainer.gate import Baseline, Evidence, GateReport, Limits, Quality, judge
from services.trainer.linear import Algorithm
from services.trainer.parity import parity_max_abs
from services.trainer.publishing import Release, Versions, champion_on, champion_summary, publish


@dataclass(frozen=True, slots=True)
class Request:
    """What `train` is asked for. `threshold` is the probability from which the model serves the offer."""

    algorithms: tuple[Algorithm, ...]
    plan: Plan
    limits: Limits
    threshold: float
    promote: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """A candidate with its file, its measures and its verdict."""

    candidate: Candidate
    model_file: bytes
    quality: Quality
    parity_max_abs: float
    verdict: GateReport


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out. `chosen` is the best that passed, or the best of all when none did; `published` is empty then."""

    data: DataReport
    rows: int
    positives: int
    judged: tuple[Judged, ...]
    chosen: Judged
    never_show: Baseline
    champion: Baseline | None
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
            rows = to_rows(frame, request.plan.splits)
            data = self._check(training_set, rows)
        candidates = []
        for algorithm in request.algorithms:
            with watch.step(algorithm.value):
                candidates.append(Fitter(algorithm, frame, rows, request.plan).fit())
        with watch.step("judge"):
            champion = champion_on(self._versions, rows, self._key)
            baseline = never_show(rows.labels)
            judged = [_judge(one, frame, rows, baseline, champion, request.limits) for one in candidates]
        chosen = best_of(judged)
        with watch.step("publish"):
            published = self._publish(chosen, rows, training_set, data, request)
        return Outcome(
            data=data,
            rows=len(rows.labels),
            positives=rows.positives,
            judged=tuple(judged),
            chosen=chosen,
            never_show=baseline,
            champion=champion,
            published=published,
            promoted=bool(published) and request.promote,
            skipped=training_set.skipped,
            seconds=watch.seconds,
        )

    def _check(self, training_set: TrainingSet, rows: Rows) -> DataReport:
        data = check_rows(
            rows.labels, rows.features, training_set.repeated, champion_summary(self._versions, self._key)
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


def _judge(
    candidate: Candidate, frame: DataFrame, rows: Rows, baseline: Baseline, champion: Baseline | None, limits: Limits
) -> Judged:
    classifier = to_sklearn(candidate.linear)
    model_file = to_onnx_file(classifier)
    parity = parity_max_abs(candidate, classifier, model_file, frame)
    quality = evaluate(rows.labels, candidate.out_of_fold)
    evidence = Evidence(quality, baseline, parity, candidate.linear.is_finite, champion)
    return Judged(candidate, model_file, quality, parity, judge(evidence, limits))


def _metrics(judged: Judged) -> dict[str, float]:
    quality = judged.quality
    return {
        "error": quality.error,
        "auc": quality.auc,
        "log_loss": quality.log_loss,
        "calibration_error": quality.calibration_error,
        "parity_max_abs": judged.parity_max_abs,
        "regularisation": judged.candidate.regularisation,
    }
