"""Training rows from Kafka's log, computed by Spark's Python workers with the functions that serve online."""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Final

import pyarrow as pa  # type: ignore[import-untyped]
from pyspark.ml.functions import array_to_vector
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sql

from interlude.features.schema import STATE_FEATURE_NAMES
from services.trainer.arrow_lines import to_batches
from services.trainer.dataset import TrainingSet
from services.trainer.history import Row, RowKind, RowRule, rows_of
from services.trainer.log_events import customers_in, read_log
from services.trainer.point_in_time import FeaturesAt, features_named
from services.trainer.slices import age_of, gender_of

ROWS: Final = (
    "group bigint, label double, features array<float>, gender string, age string, skipped string, count bigint"
)
"""A row, or the number of things skipped for one reason: a task has one way out, and retries do not count twice on it."""

ARROW_ROWS: Final = pa.schema(
    [
        ("group", pa.int64()),
        ("label", pa.float64()),
        ("features", pa.list_(pa.float32())),
        ("gender", pa.string()),
        ("age", pa.string()),
        ("skipped", pa.string()),
        ("count", pa.int64()),
    ]
)
NO_ROW: Final = (None,) * 5
NO_EARLIER_LISTEN: Final = "no_earlier_listen"

Line = tuple[int, float, tuple[float, ...], str, str, None, None]


def read_log_rows(
    spark: SparkSession, bootstrap: str, rule: RowRule, now_ms: int, names: tuple[str, ...] = STATE_FEATURE_NAMES
) -> TrainingSet:
    """The rows of everything that Kafka holds now, each with the features of these names."""
    to_rows = partial(_to_rows, rule=rule, now_ms=now_ms, names=names)
    return to_training_set(read_log(spark, bootstrap).mapInArrow(to_rows, ROWS).cache(), "log", rule, names)


def to_training_set(frame: DataFrame, source: str, rule: RowRule, names: tuple[str, ...]) -> TrainingSet:
    """The rows of a cached frame of `ROWS` with the features of these names, and what was skipped."""
    counts = frame.where("skipped is not null").groupBy("skipped").agg(sql.sum("count").alias("count")).collect()
    kept = frame.where("skipped is null").select(
        "group", "label", array_to_vector(sql.col("features")).alias("features"), "gender", "age"
    )
    skipped = {str(count["skipped"]): int(count["count"]) for count in counts}
    return TrainingSet(kept, f"{source}, {_named(rule)} {rule.campaign}", skipped, names=names)


def to_line(customer_id: int, row: Row) -> Line:
    """The row as a line of `ROWS`."""
    kinds = gender_of(row.gender), age_of(row.birth_year, row.at_ms)
    return customer_id, row.label, row.features, *kinds, None, None


def _named(rule: RowRule) -> str:
    return "clicks, positive on" if rule.kind is RowKind.CLICKS else "impressions of"


def _to_rows(
    batches: Iterator[pa.RecordBatch], rule: RowRule, now_ms: int, names: tuple[str, ...]
) -> Iterator[pa.RecordBatch]:
    skipped: Counter[str] = Counter()
    yield from to_batches(_lines(batches, rule, now_ms, skipped, features_named(names)), ARROW_ROWS)
    yield from to_batches(((*NO_ROW, reason, count) for reason, count in skipped.items()), ARROW_ROWS)


def _lines(
    batches: Iterator[pa.RecordBatch], rule: RowRule, now_ms: int, skipped: Counter[str], features_at: FeaturesAt
) -> Iterator[Line]:
    for customer in customers_in(batches, now_ms, skipped):
        for row in rows_of(customer.events, rule, features_at):
            if row is None:
                skipped[NO_EARLIER_LISTEN] += 1
            else:
                yield to_line(customer.customer_id, row)
