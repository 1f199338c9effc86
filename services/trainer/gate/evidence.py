"""What the gate is told of a candidate."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interval:
    """A measure with the 95 % interval that its rows leave open."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:+.4f} (95 % interval {self.low:+.4f} to {self.high:+.4f})"


@dataclass(frozen=True, slots=True)
class Quality:
    """How good answers are on some rows. `log_loss` in nats per row, the others shares 0..1.

    `calibration_by_chance` is the calibration error that a perfect model would stay below 19 times of 20 on that many rows.
    """

    error: float
    log_loss: float
    auc: float
    calibration_error: float
    calibration_by_chance: float = 0.0


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the same measures are for a known alternative on the same rows: "never show", or the champion."""

    error: float
    log_loss: float


@dataclass(frozen=True, slots=True)
class ChampionComparison:
    """The champion on the same rows. Differences are the candidate's less the champion's, row by row, so above 0 is worse;
    the shares are of rows at or above each one's threshold."""

    champion: Baseline
    log_loss: Interval
    error: Interval
    share_shown: float
    champion_share_shown: float


@dataclass(frozen=True, slots=True)
class SliceQuality:
    """Rows of one kind, such as `dimension` "gender" and `name` "female".

    `harm` is the candidate's log-loss less that of promising everybody in the slice its own click rate, and
    `harm_over_champion` less the champion's: above 0 is worse. `gap` is promised less seen click rate, `gap_by_chance` what
    chance alone stays below 19 times of 20.
    """

    dimension: str
    name: str
    rows: int
    clicks: int
    error: float
    log_loss: float
    gap: float
    gap_by_chance: float
    harm: Interval
    harm_over_champion: Interval | None = None


@dataclass(frozen=True, slots=True)
class PolicyValue:
    """What a policy is worth per decision, estimated from logged ones in three ways: inverse propensity scoring, self-normalised,
    doubly robust. The unit is a click, an impression costing as many as the threshold says."""

    share_shown: float
    ips: Interval
    snips: Interval
    doubly_robust: Interval
    effective_rows: float


@dataclass(frozen=True, slots=True)
class OffPolicy:
    """The candidate's policy and the champion's on the same logged decisions.

    `difference` is the candidate's value less the champion's, doubly robust and paired. `disagreement` is the share of decisions
    on which they differ, `effective_rows` how many independent impressions tell of those, and `worst` what the candidate can
    lose at most if all of them go wrong.
    """

    decisions: int
    candidate: PolicyValue
    champion: PolicyValue
    difference: Interval
    disagreement: float
    effective_rows: float
    worst: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that the gate knows of a candidate. `quality` is out of fold; `gain` is the log-loss of "never show" less the
    candidate's; `finite` tells of coefficients and answers. What is not known is None or empty, and is not checked."""

    quality: Quality
    never_show: Baseline
    gain: Interval
    parity_max_abs: float
    finite: bool
    champion: ChampionComparison | None = None
    slices: tuple[SliceQuality, ...] = ()
    off_policy: OffPolicy | None = None
