"""What a policy would have been worth per decision, from decisions that another one made and logged. Pure numpy.

**The log.** A decision is usable when it got past every rule and came to the score: its reason is SHOW, EXPLORED, HOLDOUT or
LOW_SCORE, and showing had a chance (ADR 0014). Before that, a rule refuses whatever a model says. Whether a decision is usable
follows from its facts and its campaign alone, never from how the draw fell.

**The value** of a decision is 0 when the offer is not shown, by definition, and `click - cost` when it is. So only shown
decisions carry rewards, and the only propensity needed is the logged one of a shown answer: `1 - h` for SHOW, `e(1 - h)` for
EXPLORED. With nothing held out, SHOW has propensity 1 and is usable all the same: not showing is known to be worth 0.

**Estimators**, for a policy that shows with probability `pi(x)`, logged action `a` (1 shown), propensity `mu`, reward `r`:

- IPS: mean of `w r`, `w = pi a / mu` (Horvitz and Thompson 1952). Unbiased, and noisy where mu is small.
- SNIPS: `mean(pi) * sum(w r) / sum(w)` (Swaminathan and Joachims 2015), normalised among what the policy would show, because
  what it would not show is exactly 0 and needs no estimate.
- DR: mean of `pi q + w (r - q)` (Dudik, Langford and Li 2011), `q(x)` a model's guess of the reward of showing. Unbiased whatever
  `q` is, since mu is known; less noisy the better `q` is.

Weights over `LARGEST_WEIGHT` are clipped to it, which biases towards 0; how many were is told. Standard errors come from the
influence of each listener's decisions, which are added up before they are squared: decisions of one listener are alike.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]

LARGEST_WEIGHT: Final = 1000.0
"""A campaign that explores 1 % and holds out a tenth has weights of 111; 1,000 is reached by nothing that anybody should run."""

NORMAL_95: Final = 1.96
"""Half the width of a 95 % interval, in standard errors."""


@dataclass(frozen=True, slots=True)
class LoggedDecisions:
    """Usable decisions, arrays of shape (rows,). `propensity` is that of showing, looked at where `shown`; `reward` is
    `click - cost` where shown, 0 elsewhere; `customers` are any numbers, equal for decisions of one listener."""

    shown: npt.NDArray[np.bool_]
    propensity: Vector
    reward: Vector
    customers: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value per decision. `effective_rows` is how many equally weighted impressions would tell as much, `(sum w)^2 / sum w^2`;
    `clipped` how many weights were too large."""

    value: float
    standard_error: float
    effective_rows: float
    clipped: int

    @property
    def low(self) -> float:
        """Lower end of the 95 % interval."""
        return self.value - NORMAL_95 * self.standard_error

    @property
    def high(self) -> float:
        """Upper end of the 95 % interval."""
        return self.value + NORMAL_95 * self.standard_error


def ips(log: LoggedDecisions, shows: Vector) -> Estimate:
    """Inverse propensity scoring of the policy that shows with probability `shows`, shape (rows,)."""
    weights, clipped = _weights(log, shows)
    return _mean(log, weights * log.reward, weights, clipped)


def snips(log: LoggedDecisions, shows: Vector) -> Estimate:
    """Self-normalised inverse propensity scoring; 0 without error where the policy shows nothing that was ever shown."""
    weights, clipped = _weights(log, shows)
    total = float(weights.sum())
    if total == 0:
        return Estimate(0.0, 0.0, 0.0, clipped)
    share = float(shows.mean())
    each = float(weights @ log.reward) / total
    # Influence of one decision on share * each: by the share, and by the ratio (delta method).
    influence = (shows - share) * each + share * weights * (log.reward - each) / (total / len(shows))
    return Estimate(share * each, _standard_error(influence, log.customers), _effective(weights), clipped)


def doubly_robust(log: LoggedDecisions, shows: Vector, expected: Vector) -> Estimate:
    """Doubly robust, with the `expected` reward of showing by some model, shape (rows,)."""
    weights, clipped = _weights(log, shows)
    return _mean(log, _robust(log, shows, expected, weights), weights, clipped)


def difference(log: LoggedDecisions, shows: Vector, instead_of: Vector, expected: Vector) -> Estimate:
    """The doubly robust value of one policy less that of another, paired: decisions on which they agree cancel, and
    `effective_rows` counts the impressions among the others."""
    weights, clipped = _weights(log, shows)
    other_weights, other_clipped = _weights(log, instead_of)
    gained = _robust(log, shows, expected, weights) - _robust(log, instead_of, expected, other_weights)
    return _mean(log, gained, np.abs(weights - other_weights), max(clipped, other_clipped))


def _weights(log: LoggedDecisions, shows: Vector) -> tuple[Vector, int]:
    weights = np.divide(shows, log.propensity, out=np.zeros_like(shows), where=log.shown)
    clipped = int(np.count_nonzero(weights > LARGEST_WEIGHT))
    return np.minimum(weights, LARGEST_WEIGHT), clipped


def _robust(log: LoggedDecisions, shows: Vector, expected: Vector, weights: Vector) -> Vector:
    robust: Vector = shows * expected + weights * (log.reward - expected)
    return robust


def _mean(log: LoggedDecisions, values: Vector, weights: Vector, clipped: int) -> Estimate:
    value = float(values.mean())
    return Estimate(value, _standard_error(values - value, log.customers), _effective(weights), clipped)


def _standard_error(influence: Vector, customers: npt.NDArray[np.int64]) -> float:
    """Of a mean whose rows have this influence, listeners being independent and their rows not."""
    _, listener = np.unique(customers, return_inverse=True)
    return float(np.sqrt(np.sum(np.bincount(listener, influence) ** 2))) / len(influence)


def _effective(weights: Vector) -> float:
    squares = float(weights @ weights)
    return float(weights.sum()) ** 2 / squares if squares else 0.0
