"""Training rows, the same wherever they come from: a Spark frame for fitting and plain arrays for measuring.

Frame columns: `group` (long; rows of one group stay in one fold), `label` (double, 0 or 1), `features` (vector of float32 values,
in the order of the training set's `names`), and where they are known: `weight` (double; how many decisions a row stands for, the
inverse of the probability with which it came to be shown: fits and measures take it into account), `gender` and `age` (strings;
slices, empty when unknown).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]
from pyspark.ml.functions import array_to_vector, vector_to_array
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as sql

from interlude.features.schema import STATE_FEATURE_NAMES
from services.trainer.linear import Matrix, Vector
from services.trainer.slices import MOBILE, UNKNOWN, Dimension, Kinds, devices_of
from services.trainer.splitting import Split

PARTITIONS: Final = 1
"""Partitions of the cached rows. Fitting is a long chain of tiny jobs: up to some 100,000 rows, one task a job is quickest."""

ROWS_PER_PARTITION: Final = 250_000

WEIGHT: Final = "weight"
_SLICES: Final = (Dimension.GENDER, Dimension.AGE)


class UnusableRows(Exception):
    """The rows cannot be trained on; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Rows as they were read. `skipped` counts what was left out, by reason; `source` is for the manifest; `names` are the
    features."""

    frame: DataFrame
    source: str
    skipped: dict[str, int] = field(default_factory=dict)
    repeated: int = 0
    """Rows with the id of another row, where rows have ids."""
    decisions: DataFrame | None = None
    """Logged ones for off-policy estimates (`logged_decisions.py` has the columns), where there are any."""
    names: tuple[str, ...] = STATE_FEATURE_NAMES


@dataclass(frozen=True, slots=True)
class Rows:
    """The same rows as arrays: `labels` (rows,), `features` (rows, features), and for each split the folds (rows,); `groups`,
    `weights` and the slices of each row (rows,)."""

    labels: Vector
    features: Matrix
    folds: dict[Split, npt.NDArray[np.int32]]
    groups: npt.NDArray[np.int64]
    weights: Vector
    kinds: dict[Dimension, Kinds]
    names: tuple[str, ...] = STATE_FEATURE_NAMES

    @classmethod
    def plain(cls, labels: Vector, features: Matrix, folds: dict[Split, npt.NDArray[np.int32]]) -> "Rows":
        """Rows of as many listeners, each standing for itself, with no slices but the device's."""
        groups = np.arange(len(labels), dtype=np.int64)
        return cls(labels, features, folds, groups, np.ones(labels.shape), {Dimension.DEVICE: devices_of(features)})

    @property
    def positives(self) -> int:
        """Rows with label 1."""
        return int(self.labels.sum())


def read_features_file(spark: SparkSession, path: Path, names: tuple[str, ...] = STATE_FEATURE_NAMES) -> TrainingSet:
    """The rows of a file in libsvm format, labels 0 and 1, one-based features in the schema's order, of which `names` are taken.
    Raises `UnusableRows`."""
    if not path.is_file():
        raise UnusableRows(f"there is no features file at {path}")
    unknown = [name for name in names if name not in STATE_FEATURE_NAMES]
    if unknown:
        raise UnusableRows(f"a features file does not know {', '.join(unknown)}: only a moment in the log does")
    reader = spark.read.format("libsvm").option("numFeatures", str(len(STATE_FEATURE_NAMES)))
    frame = reader.load(str(path)).coalesce(1).withColumn("group", sql.monotonically_increasing_id())
    taken = rounded(sql.col("features"), [STATE_FEATURE_NAMES.index(name) for name in names])
    return TrainingSet(frame.select("group", "label", taken), f"features file {path.name}", names=names)


def rounded(features: Column, places: Sequence[int]) -> Column:
    """The vector of the values at `places`, each rounded to float32, as the served vector is."""
    values = vector_to_array(features, "float32")
    return array_to_vector(sql.array(*(values[place] for place in places))).alias("features")


def cached(frame: DataFrame, splits: set[Split]) -> DataFrame:
    """The frame in memory, in few partitions, with a fold column per split."""
    kept = frame.cache()
    partitions = max(PARTITIONS, -(-kept.count() // ROWS_PER_PARTITION))
    dealt = kept.coalesce(partitions).withColumns({split.column: split.expression for split in splits})
    return dealt.localCheckpoint()


def to_rows(frame: DataFrame, splits: set[Split], names: tuple[str, ...] = STATE_FEATURE_NAMES) -> Rows:
    """The rows of a cached frame, whose features are `names`. Raises `UnusableRows` when a model cannot be fitted or judged on
    them."""
    columns = [split.column for split in splits]
    known = [name for name in (WEIGHT, *_SLICES) if name in frame.columns]
    features_column = vector_to_array(sql.col("features"), "float32").alias("features")
    table = frame.select("label", "group", features_column, *columns, *known).toArrow()
    features = np.asarray(table["features"].combine_chunks().flatten(), np.float32).reshape(-1, len(names))
    folds = {split: np.asarray(table[split.column], np.int32) for split in splits}
    labels = np.asarray(table["label"], np.float64)
    rows = Rows(
        labels=labels,
        features=features,
        folds=folds,
        groups=np.asarray(table["group"], np.int64),
        weights=np.asarray(table[WEIGHT], np.float64) if WEIGHT in known else np.ones(labels.shape),
        kinds=_kinds(table, features, names),
        names=names,
    )
    _check(rows)
    return rows


def _kinds(table: pa.Table, features: Matrix, names: tuple[str, ...]) -> dict[Dimension, Kinds]:
    kinds = {Dimension.DEVICE: devices_of(features, names)} if MOBILE in names else {}
    for dimension in (dimension for dimension in _SLICES if dimension.value in table.column_names):
        encoded = table[dimension.value].combine_chunks().fill_null(UNKNOWN).dictionary_encode()
        kinds[dimension] = Kinds(tuple(encoded.dictionary.to_pylist()), np.asarray(encoded.indices, np.int32))
    return kinds


def _check(rows: Rows) -> None:
    if not set(np.unique(rows.labels)) <= {0.0, 1.0}:
        raise UnusableRows("labels other than 0 and 1 were found")
    if not np.all(np.isfinite(rows.features)):
        raise UnusableRows("some features are infinite or not a number")
    if not (np.all(np.isfinite(rows.weights)) and np.all(rows.weights > 0)):
        raise UnusableRows("some weights are not above 0, or infinite")
    for split, folds in rows.folds.items():
        for fold in range(split.folds):
            for part in (rows.labels[folds == fold], rows.labels[folds != fold]):
                if len(np.unique(part)) < 2:
                    raise UnusableRows(
                        f"{len(rows.labels)} rows with {rows.positives} clicks are too few: with {split.folds} folds, "
                        "some part has only one kind of outcome"
                    )
