"""Training rows from the lake's listens, ad events and profiles: the same rows as from Kafka's log, millions of listens at a time.

Spark brings the events of one customer together; its Python workers take many customers at once as columns, and fold one by one
only what is rare: ad events and profiles. The vector is the one function that serves online.
"""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Final

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sql

from interlude.features.schema import STATE_FEATURE_NAMES
from services.trainer.arrow_lines import to_batches
from services.trainer.dataset import TrainingSet
from services.trainer.history import RowRule
from services.trainer.lake.reading import read_lake, stored_bytes
from services.trainer.lake.tables import AD_EVENTS, CUSTOMERS, LISTENS
from services.trainer.lake_history import CustomerRows
from services.trainer.log_rows import ARROW_ROWS, NO_EARLIER_LISTEN, NO_ROW, ROWS, Line, to_line, to_training_set
from services.trainer.point_in_time import FeaturesAt, features_named
from services.trainer.session import SHUFFLE_PARTITIONS

BYTES_PER_PARTITION: Final = 32 * 1024 * 1024
"""Of Parquet: about a million listens, which a task sorts in memory."""

CHUNK_ROWS: Final = 200_000
"""Events that a worker looks at together: enough for columns to pay, some 50 MB."""
EVENT_COLUMNS: Final = {
    "customer_id": "bigint",
    "source": "string",
    "event_id": "string",
    "at_ms": "bigint",
    "log_offset": "bigint",
    "track_id": "bigint",
    "mobile": "boolean",
    "utc_offset_minutes": "int",
    "kind": "int",
    "decision_id": "string",
    "campaign_id": "string",
    "change": "string",
    "level": "int",
    "active": "boolean",
    "consent_player_offers": "boolean",
    "consent_sms": "boolean",
    "gender": "int",
    "birth_year": "int",
    "time_zone": "string",
}
"""What rows need of the three tables, side by side; null where a table does not have it."""


def read_lake_rows(
    spark: SparkSession, lake: str, rule: RowRule, names: tuple[str, ...] = STATE_FEATURE_NAMES
) -> TrainingSet:
    """The rows of everything that the lake holds now, each with the features of these names."""
    events = events_by_customer(spark, lake)
    frame = events.mapInArrow(partial(_to_rows, rule=rule, names=names), ROWS).cache()
    return to_training_set(frame, "lake", rule, names)


def events_by_customer(spark: SparkSession, lake: str) -> DataFrame:
    """Listens, ad events and profiles as `EVENT_COLUMNS`; the events of a customer lie together in one partition."""
    tables = (LISTENS, AD_EVENTS, CUSTOMERS)
    # Rows come of sets of events: repetitions change nothing.
    frames = [
        read_lake(spark, lake, table, distinct=False).withColumn("source", sql.lit(table.name)) for table in tables
    ]
    columns = [
        [
            sql.col(name) if name in frame.columns else sql.lit(None).cast(kind).alias(name)
            for name, kind in EVENT_COLUMNS.items()
        ]
        for frame in frames
    ]
    listens, ads, customers = (frame.select(*chosen) for frame, chosen in zip(frames, columns, strict=True))
    partitions = max(SHUFFLE_PARTITIONS, stored_bytes(spark, lake, tables) // BYTES_PER_PARTITION)
    together = listens.unionAll(ads).unionAll(customers).repartition(partitions, "customer_id")
    return together.sortWithinPartitions("customer_id")


def chunks(batches: Iterator[pa.RecordBatch], rows: int = CHUNK_ROWS) -> Iterator[pa.Table]:
    """The same rows in tables of at least so many, cut where a customer ends. A customer's rows must lie together."""
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(part.num_rows for part in waiting) < rows:
            continue
        table = pa.Table.from_batches(waiting)
        ids = table["customer_id"].to_numpy()
        cut = int(np.searchsorted(ids, ids[-1]))
        if cut:
            yield table.slice(0, cut)
        waiting = table.slice(cut).combine_chunks().to_batches()
    if waiting:
        yield pa.Table.from_batches(waiting)


def _to_rows(batches: Iterator[pa.RecordBatch], rule: RowRule, names: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
    skipped: Counter[str] = Counter()
    yield from to_batches(_lines(batches, rule, skipped, features_named(names)), ARROW_ROWS)
    yield from to_batches(((*NO_ROW, reason, count) for reason, count in skipped.items()), ARROW_ROWS)


def _lines(
    batches: Iterator[pa.RecordBatch], rule: RowRule, skipped: Counter[str], features_at: FeaturesAt
) -> Iterator[Line]:
    for table in chunks(batches):
        for customer_id, row in CustomerRows(table, rule, features_at):
            if row is None:
                skipped[NO_EARLIER_LISTEN] += 1
            else:
                yield to_line(customer_id, row)
