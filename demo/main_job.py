"""The main job, step by step: `MainJob.run` reads like the story that the demo tells."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from demo.enriching import Enriched, read_enriched, wait_until_seen
from demo.errors import DemoFailed
from demo.history import History, profile_events
from demo.live import LivePlan, LiveResult, go_live
from demo.promises import broken_by_calls, broken_by_events, broken_by_texts
from demo.replay import HistoricEvent, replay, replay_producer
from demo.screen import Screen, Step
from demo.simulator import CAMPAIGN_ID
from demo.summary import Aside
from demo.texting import TextingWatcher, wrongly_texted
from demo.trainer import TrainerSession
from demo.training import TrainingReport, again, to_training_report
from devstack.smsc.record import read_messages
from devstack.system import Service, System

SOURCE: Final = "demo-history"
_TRAINING_SECONDS: Final = 240.0


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """Arguments of `train` for the model that goes live first, the one that replaces it under traffic, and, where the
    history is real, one that is trained on what was replayed and only reported."""

    first: tuple[str, ...]
    second: tuple[str, ...]
    replayed: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """What the job found out. `broken` has a sentence for every promise that was not kept."""

    events: dict[str, Any]
    training: dict[str, Any]
    decisions: dict[str, Any]
    freshness: dict[str, Any]
    sms: dict[str, Any]
    aside: Aside
    broken: tuple[str, ...]


class MainJob:
    """One run on a system that is up. Every step raises `DemoFailed` when it fails."""

    def __init__(
        self,
        system: System,
        trainer: TrainerSession,
        screen: Screen,
        history: History,
        training: TrainingPlan,
        live: LivePlan,
    ) -> None:
        self._system = system
        self._trainer = trainer
        self._screen = screen
        self._history = history
        self._training = training
        self._live = live
        self._enricher = system.metrics_url(Service.ENRICHER)
        self._produced = 0
        self._folded_per_second = 0.0

    def run(self, bayes_error: float | None) -> Measured:
        """1. load the customers; 2. replay the history; 3. train and promote; 4. text the audience; 5. go live and swap the
        model; 6. see that every event has arrived."""
        self._load_customers()
        self._await_spark()
        self._replay_history()
        first = self._train_first()
        replayed = self._train_replayed()
        with TextingWatcher(self._system.stack.kafka) as watcher:
            self._text_audience(watcher)
            live, live_rate = self._go_live(again(first))
            enriched = self._settle(live)
            texted = watcher.read_rest().to_summary()
        wrong = wrongly_texted(read_messages(self._system.stack.smsc.record), self._history.customers)
        broken = (
            *broken_by_events(self._produced, enriched, self._history.spoilt),
            *broken_by_texts(texted, wrong),
            *broken_by_calls(live.players, live.freshness["lost"], live.second_model.refusals),
        )
        return Measured(
            events=self._events(enriched),
            training=first.summary | ({"replayed": replayed.summary} if replayed else {}),
            decisions=_decisions(live.players),
            freshness={name: live.freshness[name] for name in ("p50_ms", "p99_ms")},
            sms=texted,
            aside=self._aside(live, live_rate, bayes_error),
            broken=broken,
        )

    def _load_customers(self) -> None:
        with self._screen.step("load customers") as step:
            self._apply(profile_events(self._history), step)

    def _await_spark(self) -> None:
        # Not beside the replay, whose rate is measured.
        with self._screen.step("wait for Spark"):
            self._trainer.wait_until_up()

    def _replay_history(self) -> None:
        with self._screen.step("replay history through Kafka") as step:
            began = time.monotonic()
            self._apply(self._history.events, step)
            self._folded_per_second = len(self._history.events) / (time.monotonic() - began)
            step.tell(f"{len(self._history.events):,} events, folded at {self._folded_per_second:,.0f}/s")

    def _apply(self, events: Iterable[HistoricEvent], step: Step) -> None:
        """Send `events` and wait until the enricher is done with them."""
        sent = replay(events, replay_producer(self._system.stack.kafka), SOURCE).total()
        self._produced += sent
        wait_until_seen(self._enricher, self._produced, step.tell)
        step.tell(f"{sent:,} events")

    def _train_first(self) -> TrainingReport:
        with self._screen.step("train in Spark, gate, promote") as step:
            report = self._train(*self._training.first, "--promote")
            step.tell(_model_line(report))
            if not report.version:
                raise DemoFailed(f"the gate refused the first model: {' '.join(report.refusals)}")
            return report

    def _train_replayed(self) -> TrainingReport | None:
        if self._training.replayed is None:
            return None
        with self._screen.step("train on what was replayed") as step:
            report = self._train(*self._training.replayed)
            step.tell(_model_line(report))
            return report

    def _train(self, *arguments: str) -> TrainingReport:
        return to_training_report(self._run_trainer("train", *arguments))

    def _run_trainer(self, *arguments: str) -> dict[str, Any]:
        self._trainer.ask(*arguments)
        report: dict[str, Any] = self._trainer.report(_TRAINING_SECONDS)
        return report

    def _text_audience(self, watcher: TextingWatcher) -> None:
        with self._screen.step("score the audience, text it") as step:
            written = self._run_trainer("audience", "--campaign", CAMPAIGN_ID)["written"]
            sms = watcher.wait_until_finished(written, step.tell).to_summary()
            suppressed = sum(sms["suppressed"].values())
            step.tell(f"{sms['requested']} asked for, {sms['delivered']} delivered, {suppressed} suppressed")

    def _go_live(self, algorithm: tuple[str, ...]) -> tuple[LiveResult, float]:
        """The result, and the events a second that the enricher took meanwhile; `algorithm` is that of the model that serves."""
        second = ("train", *self._training.second, *algorithm, "--promote")
        with self._screen.step("players ask; a second model takes over") as step:
            before, began = read_enriched(self._enricher), time.monotonic()
            live = go_live(self._system, self._live, self._trainer, second, step.tell)
            seconds = time.monotonic() - began
            return live, (read_enriched(self._enricher).seen - before.seen) / seconds

    def _settle(self, live: LiveResult) -> Enriched:
        with self._screen.step("see every event arrive") as step:
            self._produced += live.produced
            enriched = wait_until_seen(self._enricher, self._produced, step.tell)
            step.tell(f"{enriched.applied:,} applied, {enriched.dead_lettered} dead-lettered of {self._produced:,}")
            return enriched

    def _events(self, enriched: Enriched) -> dict[str, Any]:
        return {
            "produced": self._produced,
            "applied": enriched.applied,
            "dead_lettered": enriched.dead_lettered,
        }

    def _aside(self, live: LiveResult, live_rate: float, bayes_error: float | None) -> Aside:
        return Aside(
            folded_per_second=self._folded_per_second,
            live_events_per_second=live_rate,
            failed_calls=live.players["failed"],
            clicks=live.players["clicks"],
            expected_clicks=live.players["expected_clicks"],
            bayes_error=bayes_error,
            second_model=live.second_model.version or f"none ({live.second_model.summary['gate']})",
        )


def _decisions(players: dict[str, Any]) -> dict[str, Any]:
    names = ("asked", "shown", "reasons", "p50_ms", "p99_ms", "late", "degraded", "model_versions")
    return {name: players[name] for name in names}


def _model_line(report: TrainingReport) -> str:
    error = report.summary["logistic"]["error"]
    verdict = f"published {report.version}" if report.version else report.summary["gate"]
    return f"{report.summary['rows']:,} rows, logistic error {error:.2%}, {verdict}"
