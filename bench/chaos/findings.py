"""What a scenario found, and what it was hoped to find."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from bench.measured import Figure


class Relation(StrEnum):
    """Between a value and its goal."""

    AT_LEAST = "≥"
    AT_MOST = "≤"
    BELOW = "<"
    IS = "="


@dataclass(frozen=True, slots=True)
class Goal:
    """What a value should be."""

    relation: Relation
    value: float

    def __str__(self) -> str:
        return f"{self.relation} {self.value:g}"

    def is_met_by(self, value: float) -> bool:
        """Whether it is."""
        match self.relation:
            case Relation.AT_LEAST:
                return value >= self.value
            case Relation.AT_MOST:
                return value <= self.value
            case Relation.BELOW:
                return value < self.value
            case Relation.IS:
                return value == self.value


NONE = Goal(Relation.IS, 0)
ALL = Goal(Relation.IS, 1)


@dataclass(frozen=True, slots=True)
class Finding:
    """One number. `under` says which load and which fault it was found under; most have no goal and only explain others."""

    name: str
    value: float
    unit: str
    under: str
    goal: Goal | None = None

    def to_figure(self) -> Figure:
        """As it is written down."""
        goal = "" if self.goal is None else f"; goal {self.goal}"
        return Figure(round(self.value, 6), self.unit, f"{self.under}{goal}")


def render(findings: Sequence[Finding]) -> str:
    """A table of goals and values, those that were missed marked."""
    lines = [f"{'':44} {'goal':>8} {'value':>12}  {'met':3}"]
    for finding in findings:
        goal = finding.goal
        met = "" if goal is None else "yes" if goal.is_met_by(finding.value) else "NO"
        wanted = "" if goal is None else str(goal)
        lines.append(f"{finding.name:44} {wanted:>8} {_text(finding.value):>12}  {met:3}  {finding.unit}")
    return "\n".join(lines)


def _text(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.4f}"
