"""Whether a candidate that is tried goes on, becomes the champion, or goes, and whether a new champion stays. Pure: counts in, a
verdict in a sentence out.

In shadow the question is whether it would show the offer about as often as the champion. As a canary it is compared with the
champion by clicks per decision, over the same days and on listeners that chance divided: an experiment, not a prediction. So is a
new champion on probation with the one before it, its control: one share of the listeners was too few to see what all of them see.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from interlude.models.store import Candidate, Stage


class Step(StrEnum):
    """What is done with a candidate, or with a champion on probation."""

    WAIT = "wait"
    CANARY = "canary"
    PROMOTE = "promote"
    WITHDRAW = "withdraw"
    CONFIRM = "confirm"
    """The probation is over, and the champion stays."""
    TAKE_BACK = "take_back"
    """The champion goes, and its control is the champion again."""


class Verdict(NamedTuple):
    """A step, and why, for people."""

    step: Step
    sentence: str


@dataclass(frozen=True, slots=True)
class Rules:
    """When a trial moves.

    `shadow_ms` in shadow, then at least `canary_ms` and `decisions` decisions of each model as a canary of `share`; a canary that
    could not prove itself within `longest_ms` goes. `shift` bounds how many times as often as the champion, or as seldom, it
    may show the offer. It must not be worse by more than `tolerance` of the champion's clicks per decision, at 95 % confidence
    one-sided; where it is worse at all with 99 %, it goes at once.

    Then `probation_ms` and as many decisions of each as champion, while the one before keeps a `control_share` of the listeners
    (0: no probation); after `longest_ms` the probation ends in any case. Where the champion is worse with 99.9 %, or shows too
    differently, it is taken back at once.
    """

    shadow_ms: int
    canary_ms: int
    longest_ms: int
    probation_ms: int
    share: float = 0.1
    control_share: float = 0.1
    decisions: int = 1000
    shift: float = 2.0
    tolerance: float = 0.1


class CustomerCounts(NamedTuple):
    """One customer's part of a trial."""

    decisions: int
    shown: int
    clicks: int


_SURE: Final = 2.326
"""99 %, one-sided: this is looked at again and again, and being wrong once ends a good model's trial."""
_CERTAIN: Final = 3.090
"""99.9 %, one-sided: a champion is looked at a hundred times a day, and serves everybody."""
_CONFIDENT: Final = 1.645
_LEAST_SHOWN: Final = 20
"""Fewer offers say nothing of how often they are shown."""


class Side:
    """One model's listeners in a trial."""

    def __init__(self, customers: Iterable[CustomerCounts]) -> None:
        counts: npt.NDArray[np.float64] = np.array(list(customers), np.float64).reshape(-1, len(CustomerCounts._fields))
        self._counts = counts
        decisions, shown, clicks = counts.sum(axis=0)
        self.customers: Final = len(counts)
        self.decisions: Final = int(decisions)
        self.shown: Final = int(shown)
        self.clicks: Final = int(clicks)

    @property
    def value(self) -> float:
        """Clicks per decision; 0 without any."""
        return self.clicks / self.decisions if self.decisions else 0.0

    @property
    def show_rate(self) -> float:
        """Offers shown per decision; 0 without any."""
        return self.shown / self.decisions if self.decisions else 0.0

    @property
    def variance(self) -> float:
        """Of `value`, as a ratio of sums over customers: decisions of one customer are not independent."""
        if self.customers < 2:
            return math.inf
        residuals = self._counts[:, 2] - self.value * self._counts[:, 0]
        correction = self.customers / (self.customers - 1)
        return float(correction * (residuals @ residuals) / self.decisions**2)


def judge(candidate: Candidate, champion: Side, challenger: Side, rules: Rules, now_ms: int) -> Verdict:
    """The verdict on `candidate`; on the champion, where that is its control. In shadow `challenger` counts what it would have
    shown on the champion's decisions."""
    age_ms = now_ms - candidate.since_ms
    if candidate.stage is Stage.SHADOW:
        return _judge_shadow(champion, challenger, rules, age_ms)
    if candidate.stage is Stage.CONTROL:
        return _judge_probation(challenger, champion, rules, age_ms)
    return _judge_canary(champion, challenger, rules, age_ms)


def _judge_shadow(champion: Side, challenger: Side, rules: Rules, age_ms: int) -> Verdict:
    if age_ms < rules.shadow_ms:
        return Verdict(Step.WAIT, f"In shadow for {_minutes(age_ms)} of {_minutes(rules.shadow_ms)}.")
    if shift := _shifted(champion, challenger, rules):
        return Verdict(Step.WITHDRAW, shift)
    rates = f"It would show {challenger.show_rate:.2%} of {challenger.decisions} decisions"
    return Verdict(Step.CANARY, f"{rates}, the champion {champion.show_rate:.2%}.")


def _judge_canary(champion: Side, challenger: Side, rules: Rules, age_ms: int) -> Verdict:
    fewest = min(champion.decisions, challenger.decisions)
    difference = challenger.value - champion.value
    error = math.sqrt(champion.variance + challenger.variance)
    rates = f"{challenger.value:.4%} clicks per decision, the champion's {champion.value:.4%}"
    if harm := _harm(champion, challenger, rules, _SURE):
        return Verdict(Step.WITHDRAW, harm)
    if age_ms >= rules.canary_ms and fewest >= rules.decisions:
        worst, allowed = difference - _CONFIDENT * error, -rules.tolerance * champion.value
        if worst >= allowed:
            return Verdict(Step.PROMOTE, f"It is no worse: {rates}; at worst {worst:+.4%}, {allowed:+.4%} is allowed.")
    if age_ms >= rules.longest_ms:
        return Verdict(
            Step.WITHDRAW,
            f"It could not prove itself in {_minutes(age_ms)} with {challenger.decisions} decisions: {rates}.",
        )
    sentence = (
        f"A canary for {_minutes(age_ms)} with {challenger.decisions} decisions: {rates}, give or take {error:.4%}."
    )
    return Verdict(Step.WAIT, sentence)


def _judge_probation(control: Side, champion: Side, rules: Rules, age_ms: int) -> Verdict:
    if harm := _harm(control, champion, rules, _CERTAIN, than="the one before"):
        return Verdict(Step.TAKE_BACK, harm)
    rates = f"{champion.value:.4%} clicks per decision, the one before {control.value:.4%}"
    enough = min(control.decisions, champion.decisions) >= rules.decisions
    if (age_ms >= rules.probation_ms and enough) or age_ms >= rules.longest_ms:
        return Verdict(Step.CONFIRM, f"It stays: {rates}, after {_minutes(age_ms)} and {champion.decisions} decisions.")
    return Verdict(Step.WAIT, f"On probation for {_minutes(age_ms)} with {champion.decisions} decisions: {rates}.")


def _harm(standard: Side, judged: Side, rules: Rules, sure: float, than: str = "the champion") -> str:
    """Why `judged` must not go on, `sure` standard errors from chance; empty where nothing speaks against it so far."""
    if shift := _shifted(standard, judged, rules, than):
        return shift
    difference = judged.value - standard.value
    error = math.sqrt(standard.variance + judged.variance)
    if min(standard.decisions, judged.decisions) < rules.decisions or difference + sure * error >= 0:
        return ""
    return (
        f"It is worse: {judged.value:.4%} clicks per decision, {than} {standard.value:.4%}, "
        f"{-difference / error:.1f} standard errors apart."
    )


def _shifted(champion: Side, challenger: Side, rules: Rules, than: str = "the champion") -> str:
    """Why the two show too differently; empty where they do not, or where too little was shown to say."""
    if champion.shown + challenger.shown < _LEAST_SHOWN or min(champion.decisions, challenger.decisions) < _LEAST_SHOWN:
        return ""
    low, high = sorted((champion.show_rate, challenger.show_rate))
    if high <= rules.shift * low:
        return ""
    return (
        f"It shows the offer in {challenger.show_rate:.2%} of decisions, {than} in {champion.show_rate:.2%}: "
        f"more than {rules.shift:g} times apart."
    )


def _minutes(milliseconds: int) -> str:
    return f"{milliseconds / 60_000:.0f} min"
