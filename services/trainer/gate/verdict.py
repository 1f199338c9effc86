"""What the gate answers, and where it draws its lines."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class CheckName(StrEnum):
    """What is checked; the value is the name in reports."""

    FINITE = "finite"
    ERROR = "error"
    BEATS_NEVER_SHOW = "beats_never_show"
    RANKING = "ranking"
    CALIBRATION = "calibration"
    PARITY = "parity"
    CHAMPION_LOG_LOSS = "champion_log_loss"
    CHAMPION_ERROR = "champion_error"
    DECISION_RATE = "decision_rate"
    SLICES = "slices"
    OFF_POLICY = "off_policy"


@dataclass(frozen=True, slots=True)
class Limits:
    """Where the gate draws its lines.

    `error` share of wrong answers at probability 0.5; `auc_margin` over 0.5; `calibration_error` mean distance of promised
    and seen click rates, beyond what chance makes of so many rows; `parity` greatest difference of the runtimes. The
    champion's tolerances are there because it may have seen the rows in training, and bound the upper end of the interval;
    `decision_rate_shift` bounds how many more or fewer rows are shown than by the champion. A slice counts from `slice_rows`
    on; `slice_log_loss` is what even the lower end of its harm may be, `slice_gap` its calibration beyond chance.
    `off_policy_tolerance` is what the paired difference of values may be below 0 at its lower end, in clicks per decision;
    `off_policy_rows` how many effective impressions that interval needs before it is believed.
    """

    error: float = 0.10
    auc_margin: float = 0.02
    calibration_error: float = 0.02
    parity: float = 1e-5
    champion_log_loss_tolerance: float = 0.01
    champion_error_tolerance: float = 0.01
    decision_rate_shift: float = 0.20
    slice_rows: int = 200
    slice_log_loss: float = 0.02
    slice_gap: float = 0.05
    off_policy_tolerance: float = 0.005
    off_policy_rows: float = 30.0


DEFAULT_LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the verdict: `value` was compared with `limit`; `sentence` is for people."""

    name: CheckName
    passed: bool
    value: float
    limit: float
    sentence: str


@dataclass(frozen=True, slots=True)
class GateReport:
    """The verdict: it passes when every check does. `not_checked` says in sentences what could not be, and why."""

    checks: tuple[Check, ...]
    not_checked: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the candidate may be published."""
        return all(check.passed for check in self.checks)

    @property
    def refusals(self) -> tuple[str, ...]:
        """Why not, one sentence per failed check."""
        return tuple(check.sentence for check in self.checks if not check.passed)
