"""The public logs, listens and clicks, by a split in time: learned from the earlier clicks, judged on the later ones.

The logs hold no impressions: a row is a click, positive when it was on the offer (`train --rows clicks`), with what was known of
the listener just before. Rows of one listener may be on both sides of the split, as a listener is known when a model serves.
"""

from collections import defaultdict
from pathlib import Path
from typing import Final

import numpy as np
from pyspark.ml.linalg import Vectors
from pyspark.sql import SparkSession

from bench.measured import Figure
from demo.real_logs import RealLogs, read_logs
from demo.training import POSITIVE_CLICKS
from interlude.events.conversion import to_ad_event, to_listen
from interlude.features.schema import FEATURE_NAMES, STATE_FEATURE_NAMES
from services.trainer.estimators import fit_spark, to_predictor
from services.trainer.evaluation import evaluate, row_errors, row_losses
from services.trainer.history import CustomerEvents, LoggedAdEvent, Row, RowKind, RowRule, rows_of
from services.trainer.linear import Algorithm, sigmoid
from services.trainer.point_in_time import features_named
from services.trainer.resampling import Resampler

_LEARNED: Final = 0.8
_REGULARISATION: Final = 1e-3
_ITERATIONS: Final = 100
_SEED: Final = 42
_NOW_MS: Final = 1_767_225_600_000
"""2026-01-01: after all of them, and the same in every run."""


def measure(spark: SparkSession, directory: Path) -> dict[str, Figure]:
    """Error, gain over the click rate alone and AUC on the later clicks, of the six features and of all, each with its interval."""
    events = _events_of(read_logs(directory, _NOW_MS))
    figures: dict[str, Figure] = {}
    for name, features in (("six", STATE_FEATURE_NAMES), ("all", FEATURE_NAMES)):
        figures |= _measure(spark, events, name, features)
    return figures


def _measure(
    spark: SparkSession, events: dict[int, CustomerEvents], name: str, features: tuple[str, ...]
) -> dict[str, Figure]:
    rule = RowRule(RowKind.CLICKS, POSITIVE_CLICKS, attribution_ms=0)
    rows = [
        (customer, row)
        for customer, of_customer in events.items()
        for row in rows_of(of_customer, rule, features_named(features))
        if row is not None
    ]
    rows.sort(key=lambda one: (one[1].at_ms, one[0]))
    learned = rows[: int(_LEARNED * len(rows))]
    # A moment is on one side: what was clicked in the last millisecond that is learned from is not judged.
    later = [one for one in rows[len(learned) :] if one[1].at_ms > learned[-1][1].at_ms]
    frame = spark.createDataFrame(_labelled(learned), ["label", "features"])
    model = to_predictor(fit_spark(Algorithm.LOGISTIC, frame, _REGULARISATION, 1.0, _ITERATIONS))
    labels = np.array([row.label for _, row in later])
    probabilities = sigmoid(model.margins(np.array([row.features for _, row in later], np.float32)))
    resampler, weights = Resampler(np.array([customer for customer, _ in later]), _SEED), np.ones(len(later))
    rate = float(np.mean([row.label for _, row in learned]))
    error = resampler.mean(row_errors(labels, probabilities), weights)
    gain = resampler.mean(row_losses(labels, np.full(len(later), rate)) - row_losses(labels, probabilities), weights)
    under = (
        f"{len(features)} features; {len(later):,} later clicks, {labels.mean():.1%} positive, after {len(learned):,}"
    )
    quality = evaluate(labels, probabilities)
    return {
        f"replayed_{name}_error": Figure(
            round(error.value, 4), "share", f"{under}; 95 %: {error.low:.4f}-{error.high:.4f}"
        ),
        f"replayed_{name}_gain": Figure(round(gain.value, 5), "nats", f"{under}; 95 %: {gain.low:.5f}-{gain.high:.5f}"),
        f"replayed_{name}_auc": Figure(round(quality.auc, 4), "AUC", under),
    }


def _labelled(rows: list[tuple[int, Row]]) -> list[tuple[float, object]]:
    return [(row.label, Vectors.dense(row.features)) for _, row in rows]


def _events_of(logs: RealLogs) -> dict[int, CustomerEvents]:
    events: dict[int, CustomerEvents] = defaultdict(CustomerEvents)
    for listen in logs.listens:
        events[listen.customer_id].listens.append(to_listen(listen))
    for click in logs.clicks:
        events[click.customer_id].ad_events.append(LoggedAdEvent(to_ad_event(click), click.decision_id))
    return events
