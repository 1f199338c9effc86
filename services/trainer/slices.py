"""Kinds of listeners whose rows are looked at by themselves: gender and age band of the profile, device of the listens."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from interlude.features.schema import STATE_FEATURE_NAMES
from services.trainer.evaluation import (
    base_rate,
    cross_entropy,
    error_share,
    gap,
    gap_deviation,
    row_losses,
)
from services.trainer.gate import SliceQuality
from services.trainer.linear import Matrix, Vector
from services.trainer.resampling import Resampler

UNKNOWN: Final = ""
"""A row of which the kind is not known belongs to no slice."""


class Dimension(StrEnum):
    """What listeners are told apart by; the value is the name in reports and of the frame's column."""

    GENDER = "gender"
    AGE = "age"
    DEVICE = "device"


_GENDERS: Final = {1: "female", 2: "male", 3: "other"}
"""As numbered on the wire."""

_AGE_BANDS: Final = ((25, "under 25"), (35, "25 to 34"), (50, "35 to 49"), (200, "50 and over"))
"""Each with the age at which the next begins."""

MOBILE: Final = "mobile"
_HALF: Final = 0.5
_TWO_DEVIATIONS: Final = 1.96
"""Standard deviations that chance exceeds, to either side, one time in twenty."""


def gender_of(number: int) -> str:
    """The slice of a profile's gender."""
    return _GENDERS.get(number, UNKNOWN)


def age_of(birth_year: int, at_ms: int) -> str:
    """The age band at that time; born in `birth_year`, 0 when unknown."""
    if not birth_year:
        return UNKNOWN
    age = datetime.fromtimestamp(at_ms / 1000, UTC).year - birth_year
    return next((name for end, name in _AGE_BANDS if age < end), UNKNOWN)


@dataclass(frozen=True, slots=True)
class Kinds:
    """The kind of each row in one dimension: `names[codes]`, codes of shape (rows,)."""

    names: tuple[str, ...]
    codes: npt.NDArray[np.int32]

    def masks(self) -> Iterator[tuple[str, npt.NDArray[np.bool_]]]:
        """Each kind that has rows, with its rows."""
        for code, name in enumerate(self.names):
            mask = self.codes == code
            if name != UNKNOWN and mask.any():
                yield name, mask


def devices_of(features: Matrix, names: Sequence[str] = STATE_FEATURE_NAMES) -> Kinds:
    """The device on which at least half of the listens in the features were made."""
    return Kinds(("desk", "mobile"), (features[:, names.index(MOBILE)] >= _HALF).astype(np.int32))


def slice_qualities(
    kinds: dict[Dimension, Kinds],
    labels: Vector,
    weights: Vector,
    probabilities: Vector,
    champion: Vector | None,
    resampler: Resampler,
) -> tuple[SliceQuality, ...]:
    """How the candidate's `probabilities`, and the champion's if there is one, do in each slice; arrays of shape (rows,)."""
    losses = row_losses(labels, probabilities)
    over = None if champion is None else losses - row_losses(labels, champion)
    qualities = []
    for dimension, of_rows in kinds.items():
        for name, mask in of_rows.masks():
            here = np.where(mask, weights, 0.0)
            constant = row_losses(labels, base_rate(labels, here))
            qualities.append(
                SliceQuality(
                    dimension=dimension.value,
                    name=name,
                    rows=int(mask.sum()),
                    clicks=int(labels[mask].sum()),
                    error=error_share(labels[mask], probabilities[mask], weights[mask]),
                    log_loss=cross_entropy(labels[mask], probabilities[mask], weights[mask]),
                    gap=gap(labels[mask], probabilities[mask], weights[mask]),
                    gap_by_chance=_TWO_DEVIATIONS * gap_deviation(probabilities[mask], weights[mask]),
                    harm=resampler.mean(losses - constant, here),
                    harm_over_champion=None if over is None else resampler.mean(over, here),
                )
            )
    return tuple(qualities)
