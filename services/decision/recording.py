"""Everything that the service writes to Kafka, put together: decision log, outcomes, and the disk for when Kafka is away."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from interlude.events.topics import PARTITIONER
from interlude.servicekit.errors import Unavailable
from interlude.servicekit.producing import Keep, RecordProducer
from services.decision.decision_log import DecisionLog
from services.decision.experiments import ExperimentCheck
from services.decision.journal import Journal
from services.decision.metrics import DecisionMetrics
from services.decision.resending import Resender
from services.decision.settings import DecisionSettings
from services.decision.spill import Spill

LINGER_MS: Final = 10
"""Decisions are written in bursts: this is enough for a burst to travel together. Outcomes reach Kafka that much later too."""

BEHIND_ANSWERS: Final = 10
"""Niceness of what sends the log: compressing and sending it takes a third of a processor under load, and nobody waits for it."""

_MEGABYTE: Final = 1024 * 1024

log = structlog.get_logger()


class Recording:
    """The way to Kafka. Raises `SpillTaken` where the directory of the settings cannot be had."""

    def __init__(self, settings: DecisionSettings, metrics: DecisionMetrics, *, client_id: str, version: str) -> None:
        def count_dropped(topic: str, count: int = 1) -> None:
            metrics.log.dropped.labels(topic).inc(count)

        def open_producer(keep: Keep) -> RecordProducer:
            return RecordProducer(
                settings.kafka_bootstrap,
                client_id=client_id,
                partitioner=PARTITIONER,
                linger_ms=LINGER_MS,
                on_undelivered=count_dropped,
                keep=keep,
                niceness=BEHIND_ANSWERS,
            )

        experiments = ExperimentCheck()
        self._spill = _open_spill(settings, count_dropped)
        self.decision_log: Final = DecisionLog(
            self._spill,
            service_version=version,
            on_dropped=count_dropped,
            on_spilled=lambda topic: metrics.log.spilled.labels(topic).inc(),
            on_written=experiments.count,
        )
        metrics.sample_ratio.deviations = experiments.deviations
        self._producer = open_producer(self.decision_log.keep)
        self.journal: Final = Journal(self._producer)
        self._resender = None
        if self._spill is not None:
            self._resender = Resender(
                self._spill, open_producer, lambda topic, count: metrics.log.resent.labels(topic).inc(count)
            )
            metrics.log.spill_bytes.set_function(self._spill.bytes_held)

    def threads(self, stop: threading.Event) -> list[threading.Thread]:
        """What writes until `stop`, not started."""
        tasks: dict[str, Callable[[threading.Event], None]] = {
            "decision-log": lambda stop: self.decision_log.write_until(stop, self.journal),
            "deliveries": self._producer.poll_until,
        }
        if self._resender is not None:
            tasks["resending"] = self._resender.resend_until
        return [threading.Thread(target=task, args=(stop,), name=name, daemon=True) for name, task in tasks.items()]

    def finish(self, timeout_seconds: float) -> None:
        """Write what still waits, once the threads have ended: to Kafka within `timeout_seconds`, else to the disk."""
        self.decision_log.write_waiting(self.journal)
        try:
            self._producer.flush(timeout_seconds)
        except Unavailable as error:
            log.error("Kafka did not take every record at stop", reason=str(error), spilled=self._spill is not None)
            self._producer.give_up()
        self.decision_log.write_waiting(self.journal)
        if self._spill is not None:
            self._spill.close()


def _open_spill(settings: DecisionSettings, on_dropped: Callable[[str, int], None]) -> Spill | None:
    if not settings.spill_directory:
        return None
    return Spill(Path(settings.spill_directory), settings.spill_megabytes * _MEGABYTE, on_dropped)
