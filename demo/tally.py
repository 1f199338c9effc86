"""What the players saw."""

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from demo.percentiles import percentile
from interlude.client import Decision

_OUT_OF_TIME: Final = "DEADLINE_EXCEEDED"
_REPORT: Final = "REPORT"


@dataclass(slots=True)
class Tally:
    """Counts of calls and answers. `late` are calls that had no answer within the client's deadline, `failed` those that
    ended with any other error; `expected_clicks` is the sum of the click probabilities of those who were shown the offer."""

    asked: int = 0
    shown: int = 0
    failed: int = 0
    late: int = 0
    degraded: int = 0
    listens: int = 0
    outcomes: int = 0
    clicks: int = 0
    expected_clicks: float = 0.0
    reasons: Counter[str] = field(default_factory=Counter)
    model_versions: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    latencies_ms: list[float] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count_answer(self, decision: Decision, latency_ms: float) -> None:
        """Take in one answer, or its absence."""
        with self.lock:
            self.asked += 1
            self.latencies_ms.append(latency_ms)
            self.reasons[decision.reason] += 1
            self.shown += decision.show
            self.degraded += decision.degraded
            if decision.model_version:
                self.model_versions[decision.model_version] += 1
            if decision.error:
                self.late += decision.error == _OUT_OF_TIME
                self.failed += decision.error != _OUT_OF_TIME
                self.errors[decision.error] += 1

    def count_report(self, told: bool) -> None:
        """Take in one report of an outcome, `told` when the service took it."""
        with self.lock:
            self.outcomes += told
            self.failed += not told
            if not told:
                self.errors[_REPORT] += 1

    def count_exposure(self, clicked: bool, click_probability: float) -> None:
        """Take in what a listener did with an offer that was shown."""
        with self.lock:
            self.clicks += clicked
            self.expected_clicks += click_probability

    def count_listen(self) -> None:
        """Take in one listen that was handed to Kafka."""
        with self.lock:
            self.listens += 1

    def progress(self) -> dict[str, Any]:
        """Counts so far; quick enough to be taken between two questions."""
        counts = ("asked", "shown", "failed", "late", "degraded", "listens", "outcomes", "clicks", "expected_clicks")
        counters = ("reasons", "model_versions", "errors")
        with self.lock:
            return {name: getattr(self, name) for name in counts} | {
                name: dict(getattr(self, name)) for name in counters
            }

    def result(self) -> dict[str, Any]:
        """The same, with the percentiles of the latencies, ms."""
        measured = {
            name: percentile(self.latencies_ms, share)
            for name, share in (("p50_ms", 0.50), ("p99_ms", 0.99))
            if self.latencies_ms
        }
        return self.progress() | measured
