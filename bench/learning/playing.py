"""Decisions on listeners of the world, by the policy's threshold and chance, and what came of them.

The rules before the score are left out: they refuse for certain, and estimates leave those decisions out. A test holds this
against `services.decision.policy.decide`, decision by decision.
"""

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]

from bench.learning.world import Listeners
from interlude.v1 import decision_pb2 as pb
from services.trainer.linear import Matrix, Vector
from services.trainer.logged_decisions import Decisions


@dataclass(frozen=True, slots=True)
class Policy:
    """From which score on the offer is shown, how often it is below that to learn, and from which share it is withheld."""

    threshold: float
    exploration_rate: float
    holdout_share: float


PRODUCTION: Final = Policy(threshold=0.5, exploration_rate=0.05, holdout_share=0.1)


@dataclass(frozen=True, slots=True)
class Played:
    """Decisions with their outcomes, arrays of shape (rows,), `features` (rows, 6); `listener` is the place in the listeners."""

    listener: npt.NDArray[np.int64]
    features: Matrix
    shown: npt.NDArray[np.bool_]
    propensity: Vector
    reason: npt.NDArray[np.int32]
    clicked: npt.NDArray[np.bool_]
    probability: Vector
    gender: npt.NDArray[np.int32]
    age: npt.NDArray[np.int32]

    def usable(self, folds: int) -> Decisions:
        """As the trainer would read them, in folds by listener; all came to the score."""
        return Decisions(
            self.features,
            self.shown,
            self.propensity,
            self.clicked,
            self.listener,
            (self.listener % folds).astype(np.int32),
        )

    def to_table(self, listeners: Listeners) -> pa.Table:
        """The columns of the lake's table of decisions and outcomes, and the slices of the listeners."""
        flat = pa.array(self.features.ravel(), pa.float32())
        offsets = pa.array(np.arange(0, self.features.size + 1, self.features.shape[1]), pa.int32())
        return pa.table(
            {
                "customer_id": self.listener,
                "shown": self.shown,
                "propensity": self.propensity,
                "reason": self.reason,
                "features": pa.ListArray.from_arrays(offsets, flat),
                "clicked": self.clicked,
                "gender": np.array(listeners.genders)[self.gender],
                "age": np.array(listeners.ages)[self.age],
            }
        )


def play(
    chance: np.random.Generator, listeners: Listeners, scores: Vector, policy: Policy, asked: int, first: int = 0
) -> Played:
    """Every listener asks `asked` times and has the same score, shape (listeners,), each time; ids begin at `first`.

    The holdout is drawn once for a listener and exploration for each question, as ADR 0014 has it.
    """
    place = np.repeat(np.arange(len(listeners)), asked)
    held_out = (chance.random(len(listeners)) < policy.holdout_share)[place]
    explored = chance.random(len(place)) < policy.exploration_rate
    shown, propensity, reason = decide(scores[place] < policy.threshold, explored, held_out, policy)
    clicked = shown & (chance.random(len(place)) < listeners.probability[place])
    return Played(
        listener=place + first,
        features=listeners.features[place],
        shown=shown,
        propensity=propensity,
        reason=reason,
        clicked=clicked,
        probability=listeners.probability[place],
        gender=listeners.gender[place],
        age=listeners.age[place],
    )


def decide(
    below: npt.NDArray[np.bool_], explored: npt.NDArray[np.bool_], held_out: npt.NDArray[np.bool_], policy: Policy
) -> tuple[npt.NDArray[np.bool_], Vector, npt.NDArray[np.int32]]:
    """Whether shown, the answer's propensity and its reason, for draws of shape (rows,)."""
    e, h = policy.exploration_rate, policy.holdout_share
    low = below & ~explored
    cases = [low, below & held_out, below, held_out]
    reason = np.select(
        cases, [pb.REASON_LOW_SCORE, pb.REASON_HOLDOUT, pb.REASON_EXPLORED, pb.REASON_HOLDOUT], pb.REASON_SHOW
    )
    propensity = np.select(cases, [1 - e, e * h, e * (1 - h), h], 1 - h)
    return ~low & ~held_out, propensity, reason.astype(np.int32)


def together(parts: list[Played]) -> Played:
    """All of them, one after the other."""
    names = [field.name for field in fields(Played)]
    return Played(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def value_of(shows: npt.NDArray[np.bool_], probability: Vector, cost: float) -> float:
    """What showing where `shows` is worth per decision, by the ground truth: a click is 1, an impression costs `cost`."""
    return float(np.mean(shows * (probability - cost)))


def best_value(probability: Vector, cost: float) -> float:
    """The best that any policy can be worth, knowing every click probability."""
    return value_of(probability >= cost, probability, cost)
