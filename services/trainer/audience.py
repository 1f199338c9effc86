"""Scoring everybody: Spark's workers fold, exclude and score; only those worth a text come back to the driver."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sql

from interlude.contacts.campaign import Campaign
from interlude.features.state import ListenerState
from interlude.models.scorer import Scorer, load_scorer
from interlude.models.store import StoredModel
from services.trainer.arrow_lines import to_batches
from services.trainer.audience_policy import Reason, exclusion, verdict
from services.trainer.history import final_state
from services.trainer.log_events import Customer, customers_in, read_log
from services.trainer.point_in_time import FeaturesAt, all_features, stored_features

_ANSWERS: Final = "customer_id bigint, score float, reason string, count bigint"
_ARROW_ANSWERS: Final = pa.schema(
    [("customer_id", pa.int64()), ("score", pa.float32()), ("reason", pa.string()), ("count", pa.int64())]
)
_CUSTOMERS_PER_RUN: Final = 1024
"""Customers scored with one run of the model."""


class Member(NamedTuple):
    """Somebody worth a text, with the probability of a click that says so."""

    customer_id: int
    score: float


@dataclass(frozen=True, slots=True)
class Audience:
    """Who is texted, best first, and how many customers there are for each reason (and `skipped` records, by reason)."""

    members: tuple[Member, ...]
    reasons: dict[str, int]
    skipped: dict[str, int]


def score_audience(
    spark: SparkSession, bootstrap: str, champion: StoredModel, campaign: Campaign, limit: int, now_ms: int
) -> Audience:
    """The audience of `campaign` as `champion` sees it, at most `limit` members (0: all)."""
    answer = partial(_answers, champion=champion, campaign=campaign, now_ms=now_ms)
    frame = read_log(spark, bootstrap).mapInArrow(answer, _ANSWERS).cache()
    reasons, skipped = _counts(frame)
    wanted = frame.where("score is not null").orderBy(sql.desc("score"), "customer_id")
    if limit:
        wanted = wanted.limit(limit)
    members = tuple(Member(int(row["customer_id"]), float(row["score"])) for row in wanted.collect())
    over = reasons.get(Reason.REQUESTED.value, 0) - len(members)
    if over:
        reasons |= {Reason.REQUESTED.value: len(members), Reason.OVER_LIMIT.value: over}
    return Audience(members, reasons, skipped)


def _counts(frame: DataFrame) -> tuple[dict[str, int], dict[str, int]]:
    rows = frame.groupBy("reason").agg(sql.sum("count").alias("count")).collect()
    counts = {str(row["reason"]): int(row["count"]) for row in rows}
    known = {reason.value for reason in Reason}
    return (
        {reason: count for reason, count in counts.items() if reason in known},
        {reason: count for reason, count in counts.items() if reason not in known},
    )


def _answers(
    batches: Iterator[pa.RecordBatch], champion: StoredModel, campaign: Campaign, now_ms: int
) -> Iterator[pa.RecordBatch]:
    counted: Counter[str] = Counter()
    scorer = load_scorer(champion)
    decide = partial(verdict, campaign, threshold=champion.manifest.threshold)
    features_at = all_features if scorer.takes_moment else stored_features
    features_now = partial(_features_now, features_at=features_at, now_ms=now_ms, campaign_hash=campaign.campaign_hash)
    customers = _eligible(customers_in(batches, now_ms, counted), features_now, counted)
    yield from to_batches(_worth_it(customers, scorer, decide, counted), _ARROW_ANSWERS)
    yield from to_batches(((None, None, reason, count) for reason, count in counted.items()), _ARROW_ANSWERS)


def _features_now(state: ListenerState, features_at: FeaturesAt, now_ms: int, campaign_hash: int) -> tuple[float, ...]:
    return features_at(state, now_ms, campaign_hash)


def _eligible(
    customers: Iterable[Customer],
    features_of: Callable[[ListenerState], tuple[float, ...]],
    counted: Counter[str],
) -> Iterator[tuple[int, tuple[float, ...]]]:
    for customer in customers:
        state = final_state(customer.events)
        reason = exclusion(state.profile)
        if reason is None:
            yield customer.customer_id, features_of(state)
        else:
            counted[reason.value] += 1


def _worth_it(
    customers: Iterator[tuple[int, tuple[float, ...]]],
    scorer: Scorer,
    decide: Callable[[int, float], Reason],
    counted: Counter[str],
) -> Iterator[tuple[int, float, str, int]]:
    while several := list(islice(customers, _CUSTOMERS_PER_RUN)):
        scores = scorer.score_vectors(np.array([features for _, features in several], np.float32))
        for (customer_id, _), score in zip(several, scores, strict=True):
            reason = decide(customer_id, float(score))
            if reason is Reason.REQUESTED:
                yield customer_id, float(score), reason.value, 1
            else:
                counted[reason.value] += 1
