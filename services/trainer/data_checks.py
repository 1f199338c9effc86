"""Whether rows may be trained on at all: checked before anything is fitted, told in the report. Pure.

Drift is told, and refused only where it is so great that something must be broken: a changed audience is what a new model is for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from interlude.features.schema import FEATURES, STATE_FEATURE_NAMES
from services.trainer.drift import Summary, stability_index, summarise
from services.trainer.linear import Matrix, Vector

PSI_TOLD: Final = 0.25
"""From here on a feature is named as drifted."""

PSI_REFUSED: Final = 2.0
"""No audience changes so much between two models: nearly all values lie where nearly none did."""

LABEL_RATE: Final = (1e-4, 0.95)
"""Shares of clicks that a campaign can have: outside of them, outcomes were lost or joined to everything."""

_SHARE_UNIT: Final = "share"
_ROUNDING: Final = 1e-6


@dataclass(frozen=True, slots=True)
class DataCheck:
    """One thing that was looked at; `sentence` says what is wrong where it did not pass."""

    name: str
    passed: bool
    value: float
    limit: float
    sentence: str


@dataclass(frozen=True, slots=True)
class DataReport:
    """`drift`: PSI by feature against the champion's rows, empty where it tells nothing of them. `summary`: of these rows, for the
    manifest."""

    rows: int
    label_rate: float
    checks: tuple[DataCheck, ...]
    drift: dict[str, float]
    summary: dict[str, Summary]

    @property
    def refusals(self) -> tuple[str, ...]:
        """A sentence for each check that did not pass."""
        return tuple(check.sentence for check in self.checks if not check.passed)

    @property
    def drifted(self) -> list[str]:
        """Features that are spread otherwise than for the champion."""
        return [name for name, value in self.drift.items() if value >= PSI_TOLD]

    def to_json(self) -> dict[str, Any]:
        """The section `data` of the report."""
        return {
            "rows": self.rows,
            "label_rate": self.label_rate,
            "passed": not self.refusals,
            "checks": [
                {
                    "name": one.name,
                    "passed": one.passed,
                    "value": one.value,
                    "limit": one.limit,
                    "sentence": one.sentence,
                }
                for one in self.checks
            ],
            "drift": self.drift,
            "drifted": self.drifted,
        }


def check_rows(
    labels: Vector,
    features: Matrix,
    repeated: int,
    champion: Mapping[str, Summary],
    names: Sequence[str] = STATE_FEATURE_NAMES,
) -> DataReport:
    """Look at rows: `labels` (rows,), `features` (rows, one column per name); `repeated` of them have the id of another.
    `champion`: the summary by feature of the rows that it was trained on, empty when not known."""
    finite = np.isfinite(features)
    checks = [
        _none("finite", int((~finite).sum()), "values are infinite or not a number"),
        _none("range", _out_of_range(features, names), "shares are not between 0 and 1"),
        _none("repeated", repeated, "rows have the id of another row"),
        _label_rate(labels),
    ]
    summary: dict[str, Summary] = {}
    drift: dict[str, float] = {}
    for place, name in enumerate(names):
        values = features[finite[:, place], place]
        if not len(values):
            continue
        summary[name] = summarise(values)
        if name in champion:
            drift[name] = round(stability_index(champion[name], values), 6)
    checks += [_stable(name, value) for name, value in drift.items()]
    return DataReport(len(labels), float(labels.mean()) if len(labels) else 0.0, tuple(checks), drift, summary)


def _out_of_range(features: Matrix, names: Sequence[str]) -> int:
    units = {feature.name: feature.unit for feature in FEATURES}
    shares = [place for place, name in enumerate(names) if units[name] == _SHARE_UNIT]
    values = features[:, shares]
    return int(((values < -_ROUNDING) | (values > 1 + _ROUNDING)).sum())


def _none(name: str, count: int, what: str) -> DataCheck:
    return DataCheck(name, count == 0, float(count), 0.0, f"{count} {what}")


def _label_rate(labels: Vector) -> DataCheck:
    rate = float(labels.mean()) if len(labels) else 0.0
    lowest, highest = LABEL_RATE
    sentence = f"{rate:.2%} of the rows are clicks, which no campaign has ({lowest:.2%} to {highest:.0%})"
    return DataCheck("label_rate", lowest <= rate <= highest, rate, highest if rate > highest else lowest, sentence)


def _stable(name: str, index: float) -> DataCheck:
    sentence = (
        f"{name} has nothing in common with what the champion was trained on (PSI {index:.2f}, limit {PSI_REFUSED})"
    )
    return DataCheck(f"drift_{name}", index <= PSI_REFUSED, index, PSI_REFUSED, sentence)
