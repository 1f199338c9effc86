"""Scoring everybody: Spark's workers fold, exclude and score; only those worth a text come back to the driver."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
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


class Verdict(NamedTuple):
    """What becomes of one customer. `score` is None of those who were not scored, because they are excluded whatever it says."""

    customer_id: int
    score: float | None
    reason: Reason


@dataclass(frozen=True, slots=True)
class Audience:
    """Who is texted, best first, and how many customers there are for each reason (and `skipped` records, by reason)."""

    members: tuple[Member, ...]
    reasons: dict[str, int]
    skipped: dict[str, int]


def score_audience(
    spark: SparkSession,
    bootstrap: str,
    champion: StoredModel,
    campaign: Campaign,
    limit: int,
    now_ms: int,
    tell: Callable[[Verdict], None] | None = None,
) -> Audience:
    """The audience of `campaign` as `champion` sees it, at most `limit` members (0: all). `tell` is called with everybody,
    those who are texted first, best first, the others by reason."""
    answer = partial(_answers, champion=champion, campaign=campaign, now_ms=now_ms, one_by_one=tell is not None)
    frame = read_log(spark, bootstrap).mapInArrow(answer, _ANSWERS).cache()
    reasons, skipped = _counts(frame)
    wanted = frame.where(sql.col("reason") == Reason.REQUESTED.value).orderBy(sql.desc("score"), "customer_id")
    members = tuple(
        Member(int(row["customer_id"]), float(row["score"]))
        for row in (wanted.limit(limit) if limit else wanted).collect()
    )
    over = reasons.get(Reason.REQUESTED.value, 0) - len(members)
    if over:
        reasons |= {Reason.REQUESTED.value: len(members), Reason.OVER_LIMIT.value: over}
    if tell is not None:
        _tell_each(frame, wanted, len(members), tell)
    return Audience(members, reasons, skipped)


def _tell_each(frame: DataFrame, wanted: DataFrame, members: int, tell: Callable[[Verdict], None]) -> None:
    for place, row in enumerate(wanted.toLocalIterator()):
        reason = Reason.REQUESTED if place < members else Reason.OVER_LIMIT
        tell(Verdict(int(row["customer_id"]), float(row["score"]), reason))
    others = frame.where(sql.col("customer_id").isNotNull() & (sql.col("reason") != Reason.REQUESTED.value))
    for row in others.orderBy("reason", sql.desc_nulls_last("score"), "customer_id").toLocalIterator():
        score = None if row["score"] is None else float(row["score"])
        tell(Verdict(int(row["customer_id"]), score, Reason(row["reason"])))


def _counts(frame: DataFrame) -> tuple[dict[str, int], dict[str, int]]:
    rows = frame.groupBy("reason").agg(sql.sum("count").alias("count")).collect()
    counts = {str(row["reason"]): int(row["count"]) for row in rows}
    known = {reason.value for reason in Reason}
    return (
        {reason: count for reason, count in counts.items() if reason in known},
        {reason: count for reason, count in counts.items() if reason not in known},
    )


def _answers(
    batches: Iterator[pa.RecordBatch], champion: StoredModel, campaign: Campaign, now_ms: int, *, one_by_one: bool
) -> Iterator[pa.RecordBatch]:
    counted: Counter[str] = Counter()
    scorer = load_scorer(champion)
    decide = partial(verdict, campaign, threshold=champion.manifest.threshold)
    features_at = all_features if scorer.takes_moment else stored_features
    features_now = partial(_features_now, features_at=features_at, now_ms=now_ms, campaign_hash=campaign.campaign_hash)
    verdicts = _verdicts(customers_in(batches, now_ms, counted), features_now, scorer, decide)
    yield from to_batches(_lines(verdicts, counted, one_by_one=one_by_one), _ARROW_ANSWERS)
    yield from to_batches(((None, None, reason, count) for reason, count in counted.items()), _ARROW_ANSWERS)


def _features_now(state: ListenerState, features_at: FeaturesAt, now_ms: int, campaign_hash: int) -> tuple[float, ...]:
    return features_at(state, now_ms, campaign_hash)


def _verdicts(
    customers: Iterable[Customer],
    features_of: Callable[[ListenerState], tuple[float, ...]],
    scorer: Scorer,
    decide: Callable[[int, float], Reason],
) -> Iterator[Verdict]:
    """One for each customer; those who come into question are scored together."""
    several: list[tuple[int, tuple[float, ...]]] = []
    for customer in customers:
        state = final_state(customer.events)
        reason = exclusion(state.profile)
        if reason is not None:
            yield Verdict(customer.customer_id, None, reason)
            continue
        several.append((customer.customer_id, features_of(state)))
        if len(several) == _CUSTOMERS_PER_RUN:
            yield from _scored(several, scorer, decide)
            several = []
    if several:
        yield from _scored(several, scorer, decide)


def _scored(
    several: Sequence[tuple[int, tuple[float, ...]]], scorer: Scorer, decide: Callable[[int, float], Reason]
) -> Iterator[Verdict]:
    scores = scorer.score_vectors(np.array([features for _, features in several], np.float32))
    for (customer_id, _), score in zip(several, scores, strict=True):
        yield Verdict(customer_id, float(score), decide(customer_id, float(score)))


def _lines(
    verdicts: Iterable[Verdict], counted: Counter[str], *, one_by_one: bool
) -> Iterator[tuple[int, float | None, str, int]]:
    """Those who are worth a text; of all others only how many, unless `one_by_one` is asked for."""
    for verdict_of_one in verdicts:
        if one_by_one or verdict_of_one.reason is Reason.REQUESTED:
            yield verdict_of_one.customer_id, verdict_of_one.score, verdict_of_one.reason.value, 1
        else:
            counted[verdict_of_one.reason.value] += 1
