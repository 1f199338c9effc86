"""Training rows, the same wherever they come from: a Spark frame for fitting and plain arrays for measuring.

Frame columns: `group` (long; rows of one group stay in one fold), `label` (double, 0 or 1), `features` (vector of float32
values in the order of `schema.FEATURES`).
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from pyspark.ml.functions import array_to_vector, vector_to_array
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as sql

from interlude.features.schema import FEATURE_NAMES
from services.trainer.linear import Matrix, Vector

PARTITIONS: Final = 1
"""Partitions of the cached rows. Fitting is a long chain of tiny jobs: up to some 100,000 rows, one task a job is quickest."""

ROWS_PER_PARTITION: Final = 250_000


class UnusableRows(Exception):
    """The rows cannot be trained on; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Rows as they were read. `skipped` counts what was left out, by reason; `source` is for the manifest."""

    frame: DataFrame
    source: str
    skipped: dict[str, int] = field(default_factory=dict)
    repeated: int = 0
    """Rows with the id of another row, where rows have ids."""


@dataclass(frozen=True, slots=True)
class Split:
    """How rows are dealt into folds: by a hash of their group, so that no listener is on both sides."""

    folds: int
    seed: int

    @property
    def column(self) -> str:
        """The name of the frame's column that holds the fold."""
        return f"fold_of_{self.folds}_by_{self.seed}"

    @property
    def expression(self) -> Column:
        """The fold of a row, 0 .. folds - 1."""
        return sql.pmod(sql.xxhash64("group", sql.lit(self.seed)), sql.lit(self.folds)).cast("int")


@dataclass(frozen=True, slots=True)
class Rows:
    """The same rows as arrays: `labels` (rows,), `features` (rows, features), and for each split the folds (rows,)."""

    labels: Vector
    features: Matrix
    folds: dict[Split, npt.NDArray[np.int32]]

    @property
    def positives(self) -> int:
        """Rows with label 1."""
        return int(self.labels.sum())


def read_features_file(spark: SparkSession, path: Path) -> TrainingSet:
    """The rows of a file in libsvm format, labels 0 and 1, one-based features in the schema's order. Raises `UnusableRows`."""
    if not path.is_file():
        raise UnusableRows(f"there is no features file at {path}")
    reader = spark.read.format("libsvm").option("numFeatures", str(len(FEATURE_NAMES)))
    frame = reader.load(str(path)).coalesce(1).withColumn("group", sql.monotonically_increasing_id())
    return TrainingSet(frame.select("group", "label", rounded(sql.col("features"))), f"features file {path.name}")


def rounded(features: Column) -> Column:
    """The vector with each value rounded to float32, as the served vector is."""
    return array_to_vector(vector_to_array(features, "float32")).alias("features")


def cached(frame: DataFrame, splits: set[Split]) -> DataFrame:
    """The frame in memory, in few partitions, with a fold column per split."""
    kept = frame.cache()
    partitions = max(PARTITIONS, -(-kept.count() // ROWS_PER_PARTITION))
    dealt = kept.coalesce(partitions).withColumns({split.column: split.expression for split in splits})
    return dealt.localCheckpoint()


def to_rows(frame: DataFrame, splits: set[Split]) -> Rows:
    """The rows of a cached frame. Raises `UnusableRows` when a model cannot be fitted or judged on them."""
    columns = [split.column for split in splits]
    table = frame.select("label", vector_to_array(sql.col("features"), "float32").alias("features"), *columns).toArrow()
    width = len(FEATURE_NAMES)
    features = np.asarray(table["features"].combine_chunks().flatten(), np.float32).reshape(-1, width)
    folds = {split: np.asarray(table[split.column], np.int32) for split in splits}
    rows = Rows(np.asarray(table["label"], np.float64), features, folds)
    _check(rows)
    return rows


def _check(rows: Rows) -> None:
    if not set(np.unique(rows.labels)) <= {0.0, 1.0}:
        raise UnusableRows("labels other than 0 and 1 were found")
    if not np.all(np.isfinite(rows.features)):
        raise UnusableRows("some features are infinite or not a number")
    for split, folds in rows.folds.items():
        for fold in range(split.folds):
            for part in (rows.labels[folds == fold], rows.labels[folds != fold]):
                if len(np.unique(part)) < 2:
                    raise UnusableRows(
                        f"{len(rows.labels)} rows with {rows.positives} clicks are too few: with {split.folds} folds, "
                        "some part has only one kind of outcome"
                    )
