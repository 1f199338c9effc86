"""Whom the offer changes, from decisions with and without it. Pure numpy.

A model of clicks finds listeners who like the offer; some of them would have taken it anyway. An *uplift pair* is two models of
conversion, one of decisions that showed the offer, one of those that did not; the difference is what showing changes (Kuenzel and
others 2019, T-learner). Which of the two ways to choose sells more is no matter of taste: explored and held-out decisions tell.

**Effect of one decision**, with `y` whether a conversion followed, `q1` and `q0` what the pair says with and without the offer, and
`p` the logged chance of what was done: `q1 - q0 + (y - q1) / p` where shown, `q1 - q0 - (y - q0) / p` elsewhere. Its mean over any
group that the outcome did not choose is the group's true effect, whatever the pair says, since `p` is known (augmented inverse
propensity weighting; Robins, Rotnitzky and Zhao 1994). Hence so is the mean of `(a - b) * effect` the difference in conversions per
decision between policies that show with probability `a` and `b`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from services.trainer.linear import Vector
from services.trainer.offpolicy import LARGEST_WEIGHT, NORMAL_95

GROUPS: Final = 5


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Decisions that could have gone either way, arrays of shape (rows,). `chance` is that of what was done, showing or not;
    `customers` are any numbers, equal for decisions of one listener."""

    shown: npt.NDArray[np.bool_]
    chance: Vector
    converted: npt.NDArray[np.bool_]
    customers: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Pair:
    """What two models say of each decision, from folds that they did not see: probabilities of a conversion, shape (rows,)."""

    with_offer: Vector
    without: Vector

    @property
    def uplift(self) -> Vector:
        """What showing changes, shape (rows,)."""
        return self.with_offer - self.without


@dataclass(frozen=True, slots=True)
class Effect:
    """Conversions per decision, with a 95 % interval clustered by listener."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Group:
    """Decisions of similar uplift: the mean that the pair promised, and the effect that was seen."""

    rows: int
    promised: float
    seen: Effect


@dataclass(frozen=True, slots=True)
class Comparison:
    """`gain`: conversions per decision, of showing to those of highest uplift rather than to `instead_of`, as often: to `share`."""

    instead_of: str
    share: float
    gain: Effect

    @property
    def is_better(self) -> bool:
        """Whether uplift surely sells more."""
        return self.gain.low > 0

    @property
    def sentence(self) -> str:
        """The verdict, for people."""
        verdict = "is better than" if self.is_better else "is not shown to be better than"
        return (
            f"choosing by uplift {verdict} {self.instead_of}: {self.gain.value:+.5f} conversions per decision "
            f"({self.gain.low:+.5f} to {self.gain.high:+.5f}), both showing to {self.share:.1%}"
        )


def effects(outcomes: Outcomes, pair: Pair) -> Vector:
    """The effect of each decision, shape (rows,)."""
    weights = np.minimum(1 / outcomes.chance, LARGEST_WEIGHT)
    expected = np.where(outcomes.shown, pair.with_offer, pair.without)
    surprise = weights * (outcomes.converted - expected)
    effect: Vector = pair.uplift + np.where(outcomes.shown, surprise, -surprise)
    return effect


def mean_effect(values: Vector, customers: npt.NDArray[np.int64]) -> Effect:
    """Their mean; decisions of one listener are alike."""
    mean = float(values.mean())
    _, listener = np.unique(customers, return_inverse=True)
    error = float(np.sqrt(np.sum(np.bincount(listener, values - mean) ** 2))) / len(values)
    return Effect(mean, mean - NORMAL_95 * error, mean + NORMAL_95 * error)


def groups_of(outcomes: Outcomes, pair: Pair) -> list[Group]:
    """The decisions in `GROUPS` of equal size, from the lowest uplift to the highest."""
    values = effects(outcomes, pair)
    return [
        Group(len(places), float(pair.uplift[places].mean()), mean_effect(values[places], outcomes.customers[places]))
        for places in np.array_split(np.argsort(pair.uplift, kind="stable"), GROUPS)
    ]


def compare(outcomes: Outcomes, pair: Pair, shows: Vector, instead_of: str) -> Comparison:
    """Uplift against the policy that shows with probability `shows`, shape (rows,)."""
    share = float(shows.mean())
    highest = np.zeros(len(shows))
    highest[np.argsort(-pair.uplift, kind="stable")[: round(share * len(shows))]] = 1
    gain = mean_effect((highest - shows) * effects(outcomes, pair), outcomes.customers)
    return Comparison(instead_of, share, gain)


def arms(outcomes: Outcomes) -> Iterator[tuple[str, npt.NDArray[np.bool_]]]:
    """The two sides by name, each as a mask of shape (rows,)."""
    yield "shown", outcomes.shown
    yield "not shown", ~outcomes.shown
