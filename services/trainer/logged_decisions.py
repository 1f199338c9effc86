"""Logged decisions, joined with what came of them, as arrays for off-policy estimates.

Frame columns, of the lake's table of decisions and outcomes: `customer_id` (long), `shown` (boolean), `propensity` (double; of the
answer, ADR 0014), `reason` (int; numbered as on the wire), `features` (array of float, the schema's order) and `clicked` (boolean).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from pyspark.ml.functions import array_to_vector
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as sql

from interlude.v1 import decision_pb2 as pb
from services.trainer.linear import Matrix, Vector
from services.trainer.offpolicy import LoggedDecisions
from services.trainer.splitting import Split

_AFTER_THE_RULES: Final = (pb.REASON_SHOW, pb.REASON_EXPLORED, pb.REASON_HOLDOUT, pb.REASON_LOW_SCORE)
"""What remains when no rule has refused: the score and chance decide."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """Usable decisions, arrays with one row each; `folds` are those of the split that measures."""

    features: Matrix
    shown: npt.NDArray[np.bool_]
    propensity: Vector
    clicked: npt.NDArray[np.bool_]
    customers: npt.NDArray[np.int64]
    folds: npt.NDArray[np.int32]

    def valued(self, cost: float) -> LoggedDecisions:
        """With rewards: a click is 1, an impression costs `cost`."""
        reward = np.where(self.shown, self.clicked - cost, 0.0)
        return LoggedDecisions(self.shown, self.propensity, reward, self.customers)


def is_usable() -> Column:
    """Whether a decision came to the score, had features, and a chance to be shown: with nothing explored, LOW_SCORE has none."""
    never_shown = (sql.col("reason") == pb.REASON_LOW_SCORE) & (sql.col("propensity") >= 1)
    scored = sql.size("features") > 0
    return sql.col("reason").isin(*_AFTER_THE_RULES) & ~never_shown & scored & (sql.col("propensity") > 0)


def to_decisions(frame: DataFrame, split: Split) -> Decisions | None:
    """The usable decisions of `frame`; None when there are none."""
    usable = frame.where(is_usable()).withColumn("group", sql.col("customer_id"))
    table = usable.select(
        "group", "shown", "propensity", "clicked", "features", split.expression.alias("fold")
    ).toArrow()
    if not table.num_rows:
        return None
    return Decisions(
        features=np.asarray(table["features"].combine_chunks().flatten(), np.float32).reshape(table.num_rows, -1),
        shown=np.asarray(table["shown"], np.bool_),
        propensity=np.asarray(table["propensity"], np.float64),
        clicked=np.asarray(table["clicked"], np.bool_),
        customers=np.asarray(table["group"], np.int64),
        folds=np.asarray(table["fold"], np.int32),
    )


def training_rows(frame: DataFrame) -> DataFrame:
    """One training row per shown decision, with the features as they were logged.

    A row weighs the inverse of its propensity, in fits and in measures. Without, a model that shows to the right listeners would be
    judged on those alone, and the better it chose the harder its rows would be; and the next would be fitted to those alone,
    and be wrong about all others (docs/adr/0019-statistics-of-the-gate.md).
    """
    return frame.where(is_usable() & sql.col("shown")).select(
        sql.col("customer_id").alias("group"),
        sql.col("clicked").cast("double").alias("label"),
        array_to_vector(sql.col("features")).alias("features"),
        (1 / sql.col("propensity")).alias("weight"),
        *(name for name in ("gender", "age") if name in frame.columns),
    )
