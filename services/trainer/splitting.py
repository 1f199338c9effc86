"""How rows are dealt into folds."""

from dataclasses import dataclass

from pyspark.sql import Column
from pyspark.sql import functions as sql


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
