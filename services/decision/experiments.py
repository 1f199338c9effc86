"""Whether running experiments get the shares that they were promised: counted from written decisions, read by scrapes.

The thread that writes the decision log counts, behind every answer's back: 0.15 µs a decision, 1.2 where the campaign has an
experiment.
"""

import threading
from collections.abc import Iterable

from services.decision.answers import Answer
from services.decision.policy import SHOWN, Reason
from services.decision.sample_ratio import Deviation, SampleRatios


class ExperimentCheck:
    """The sample ratios of this process. Safe between threads: one counts, another reads."""

    def __init__(self) -> None:
        self._ratios = SampleRatios()
        self._lock = threading.Lock()

    def count(self, answers: Iterable[Answer]) -> None:
        """Count answers; those of campaigns without arms and holdout are passed over."""
        drawn = [answer for answer in answers if _is_drawn(answer)]
        if drawn:
            with self._lock:
                for answer in drawn:
                    self._add(answer)

    def deviations(self) -> list[Deviation]:
        """Every side of every experiment so far."""
        with self._lock:
            return self._ratios.deviations()

    def _add(self, answer: Answer) -> None:
        facts, reason = answer.facts, answer.reason
        self._ratios.add(
            facts.campaign,
            answer.question.customer_id,
            facts.assignment.arm,
            reached=reason in SHOWN or reason is Reason.HOLDOUT,
            holdout=facts.assignment.holdout,
        )


def _is_drawn(answer: Answer) -> bool:
    campaign = answer.facts.campaign
    return bool(campaign.arms or campaign.holdout_share)
