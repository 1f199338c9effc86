"""The demo's listeners by the hundred thousand: what a model sees of each, and the probability that it does not see.

Habits are drawn as in `demo/listeners.py`, with its types, weights and steepness, in numpy instead of one by one. Of its habits a
listener shows what some dozen listens happen to show: those are the six features, rounded to float32 as they are served.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from demo.listeners import (
    CENTRE,
    DAY_PART_CONCENTRATION,
    FAVOURITES,
    SHARE_CONCENTRATION,
    STEEPNESS,
    TYPES,
    WEIGHTS,
)
from services.trainer.linear import Matrix, Vector, sigmoid

MEAN_LISTENS: Final = 30
_ACTIVITY: Final = (0.6, 1.4)
_DAY_PARTS: Final = 4
_GENDERS: Final = ("female", "male", "other")
_AGES: Final = ("under 25", "25 to 34", "35 to 49", "50 and over")


@dataclass(frozen=True, slots=True)
class Listeners:
    """Arrays with one row per listener: `features` (rows, 6), `probability` of a click when shown (rows,), kinds by number."""

    features: Matrix
    probability: Vector
    gender: npt.NDArray[np.int32]
    age: npt.NDArray[np.int32]

    @property
    def genders(self) -> tuple[str, ...]:
        """What the numbers in `gender` mean."""
        return _GENDERS

    @property
    def ages(self) -> tuple[str, ...]:
        """What the numbers in `age` mean."""
        return _AGES

    def __len__(self) -> int:
        return len(self.probability)


def draw_listeners(chance: np.random.Generator, count: int) -> Listeners:
    """`count` listeners of the world."""
    habits = _habits(chance, count)
    return Listeners(
        features=_observed(chance, habits),
        probability=click_probability(habits),
        gender=chance.integers(0, len(_GENDERS), count, dtype=np.int32),
        age=chance.integers(0, len(_AGES), count, dtype=np.int32),
    )


def click_probability(habits: Vector) -> Vector:
    """The ground truth for habits of shape (rows, 6), shape (rows,)."""
    return sigmoid(STEEPNESS * (habits @ np.array(WEIGHTS) - CENTRE))


def _habits(chance: np.random.Generator, count: int) -> Vector:
    shares = np.array([kind.share for kind in TYPES])
    means = np.array([kind.habits for kind in TYPES])[chance.choice(len(TYPES), count, p=shares / shares.sum())]
    parts = chance.standard_gamma(DAY_PART_CONCENTRATION * means[:, :_DAY_PARTS])
    rest = means[:, _DAY_PARTS:]
    of_shares = chance.beta(SHARE_CONCENTRATION * rest, SHARE_CONCENTRATION * (1 - rest))
    habits: Vector = np.hstack([parts / parts.sum(axis=1, keepdims=True), of_shares])
    return habits


def _observed(chance: np.random.Generator, habits: Vector) -> Matrix:
    """The shares that so many listens show of habits."""
    rows = len(habits)
    listens = np.rint(MEAN_LISTENS * chance.uniform(*_ACTIVITY, rows)).astype(np.int64)
    parts = chance.multinomial(listens, habits[:, :_DAY_PARTS])
    mobile = chance.binomial(listens, habits[:, _DAY_PARTS])
    new = chance.binomial(listens, habits[:, _DAY_PARTS + 1])
    # What is not new is one of a few favourites, each of which counts once.
    distinct = new + np.minimum(FAVOURITES, listens - new)
    observed = np.column_stack([parts, mobile, np.minimum(distinct, listens)]) / listens[:, None]
    return observed.astype(np.float32)
