"""What a candidate does while it is tried, as metrics."""

from collections.abc import Iterable
from typing import Final, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge

from services.decision.champion import Trial
from services.decision.scoring import Comparison


class TrialObserver(Protocol):
    """Who is told what a candidate does."""

    def compared(self, comparison: Comparison) -> None: ...

    def decided(self, shown: Iterable[bool]) -> None: ...


class NoObserver:
    """Nobody."""

    def compared(self, comparison: Comparison) -> None:
        """Nothing."""

    def decided(self, shown: Iterable[bool]) -> None:
        """Nothing."""


UNOBSERVED: Final = NoObserver()


class TrialMetrics:
    """Counts for the registry of a service."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._share = Gauge(
            "interlude_decision_candidate_share",
            "Share of listeners that the candidate decides for, by its version and stage; 0 in shadow. In the stage "
            "`control` it is the champion before, and the present one is on probation. No sample: no candidate is "
            "tried, or it was refused.",
            ["version", "stage"],
            registry=registry,
        )
        self._answers = Counter(
            "interlude_decision_candidate_answers_total",
            "Answers that the candidate decided as a canary or as control, before the ledger was asked. When its share "
            "of `show` is far from that of all answers: `python -m services.trainer withdraw`, and look at the report "
            "of the candidate's training.",
            ["answer"],
            registry=registry,
        )
        self._comparisons = Counter(
            "interlude_decision_shadow_answers_total",
            "Listeners whom a candidate in shadow puts on the same side of its threshold as the champion, or on the other.",
            ["side"],
            registry=registry,
        )
        self._barred = Gauge(
            "interlude_decision_models_barred",
            "Versions that the trainer's loop took back because they did worse than the champion before; they do not come back "
            "by themselves. When it rises: the alert ModelTakenBack.",
            registry=registry,
        )
        self._shown, self._not_shown = self._answers.labels("show"), self._answers.labels("no")
        self._same, self._other = self._comparisons.labels("same"), self._comparisons.labels("other")

    def trial(self, trial: Trial | None) -> None:
        """Another candidate is tried, or none."""
        self._share.clear()
        if trial is not None:
            self._share.labels(trial.serving.version, trial.stage.value).set(trial.share)

    def barred(self, versions: int) -> None:
        """So many versions were taken back up to now."""
        self._barred.set(versions)

    def compared(self, comparison: Comparison) -> None:
        """A candidate in shadow judged a batch."""
        self._same.inc(comparison.same)
        self._other.inc(comparison.other)

    def decided(self, shown: Iterable[bool]) -> None:
        """A canary decided so for these listeners."""
        answers = list(shown)
        self._shown.inc(sum(answers))
        self._not_shown.inc(len(answers) - sum(answers))
