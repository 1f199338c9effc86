"""From answers on rows to what the gate is told: measures, intervals and comparisons, all on the same draws."""

from dataclasses import dataclass

import numpy as np

from services.trainer.dataset import Rows
from services.trainer.evaluation import (
    base_rate,
    cross_entropy,
    error_share,
    evaluate,
    never_show,
    row_errors,
    row_losses,
)
from services.trainer.gate import Baseline, ChampionComparison, Evidence, Interval, OffPolicy, PolicyValue
from services.trainer.linear import Vector
from services.trainer.logged_decisions import Decisions
from services.trainer.offpolicy import Estimate, LoggedDecisions, difference, doubly_robust, ips, snips
from services.trainer.resampling import Resampler
from services.trainer.slices import slice_qualities


@dataclass(frozen=True, slots=True)
class Answers:
    """What a model says: probabilities on the training rows and, where there are any, on logged decisions, both of shape
    (rows,), and the threshold from which it shows."""

    on_rows: Vector
    threshold: float
    on_decisions: Vector | None = None


class Gatherer:
    """Gathers evidence of several candidates on the same rows, decisions and champion; `seed` decides the draws."""

    def __init__(self, rows: Rows, decisions: Decisions | None, champion: Answers | None, seed: int) -> None:
        self._rows = rows
        self._decisions = decisions
        self._champion = champion
        self._resampler = Resampler(rows.groups, seed)

    def gather(self, candidate: Answers, parity: float, *, finite: bool) -> Evidence:
        """Everything about one candidate; `finite` tells of its numbers, `parity` how far the runtimes differ."""
        rows = self._rows
        constant = row_losses(rows.labels, base_rate(rows.labels, rows.weights))
        losses = row_losses(rows.labels, candidate.on_rows)
        champion = self._champion.on_rows if self._champion else None
        return Evidence(
            quality=evaluate(rows.labels, candidate.on_rows, rows.weights),
            never_show=never_show(rows.labels, rows.weights),
            gain=self._mean(constant - losses),
            parity_max_abs=parity,
            finite=finite and bool(np.all(np.isfinite(candidate.on_rows))),
            champion=self._compare(candidate, self._champion) if self._champion else None,
            slices=slice_qualities(rows.kinds, rows.labels, rows.weights, candidate.on_rows, champion, self._resampler),
            off_policy=self._off_policy(candidate, self._champion) if self._champion else None,
        )

    def _mean(self, values: Vector) -> Interval:
        return self._resampler.mean(values, self._rows.weights)

    def _compare(self, candidate: Answers, champion: Answers) -> ChampionComparison:
        labels, weights = self._rows.labels, self._rows.weights
        return ChampionComparison(
            champion=Baseline(
                error_share(labels, champion.on_rows, weights), cross_entropy(labels, champion.on_rows, weights)
            ),
            log_loss=self._mean(row_losses(labels, candidate.on_rows) - row_losses(labels, champion.on_rows)),
            error=self._mean(row_errors(labels, candidate.on_rows) - row_errors(labels, champion.on_rows)),
            share_shown=float(np.average(candidate.on_rows >= candidate.threshold, weights=weights)),
            champion_share_shown=float(np.average(champion.on_rows >= champion.threshold, weights=weights)),
        )

    def _off_policy(self, candidate: Answers, champion: Answers) -> OffPolicy | None:
        if self._decisions is None or candidate.on_decisions is None or champion.on_decisions is None:
            return None
        return compare_policies(self._decisions, candidate, champion)


def compare_policies(decisions: Decisions, candidate: Answers, champion: Answers) -> OffPolicy:
    """Both policies on the same decisions; an impression costs as much as the candidate's threshold says. Both have answers on
    decisions."""
    log = decisions.valued(candidate.threshold)
    probabilities = _answers(candidate)
    expected = np.nan_to_num(probabilities) - candidate.threshold
    shows = (probabilities >= candidate.threshold).astype(np.float64)
    instead_of = (_answers(champion) >= champion.threshold).astype(np.float64)
    gained = difference(log, shows, instead_of, expected)
    disagreement = float(np.mean(shows != instead_of))
    return OffPolicy(
        decisions=len(shows),
        candidate=_value(log, shows, expected),
        champion=_value(log, instead_of, expected),
        difference=_interval(gained),
        disagreement=disagreement,
        effective_rows=gained.effective_rows,
        worst=-_worst(shows, instead_of, candidate.threshold),
    )


def _worst(shows: Vector, instead_of: Vector, cost: float) -> float:
    """What is lost at most: nobody clicks who is shown the offer now, everybody would have who no longer is."""
    return float(np.mean(cost * (shows > instead_of) + (1 - cost) * (shows < instead_of)))


def _value(log: LoggedDecisions, shows: Vector, expected: Vector) -> PolicyValue:
    robust = doubly_robust(log, shows, expected)
    return PolicyValue(
        share_shown=float(shows.mean()),
        ips=_interval(ips(log, shows)),
        snips=_interval(snips(log, shows)),
        doubly_robust=_interval(robust),
        effective_rows=robust.effective_rows,
    )


def _interval(estimate: Estimate) -> Interval:
    return Interval(estimate.value, estimate.low, estimate.high)


def _answers(answers: Answers) -> Vector:
    if answers.on_decisions is None:
        raise ValueError("there are no answers on decisions")
    return answers.on_decisions
