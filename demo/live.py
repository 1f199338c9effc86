"""Live traffic: players and the freshness probe as processes of their own, and a model that is swapped under their feet."""

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any, Final

from demo.errors import DemoFailed
from demo.freshness import PROBES_PER_SECOND, FreshnessSettings
from demo.players import PlayersSettings
from demo.status import read_status
from demo.trainer import TrainerSession
from demo.training import TrainingReport, to_training_report
from devstack.process import ChildProcess
from devstack.system import System

EVENTS_PER_SECOND: Final = 500.0
"""The rate at which freshness is promised: players, probes and others together."""

_POLL_SECONDS: Final = 0.2
_FIRST_SECONDS: Final = 30.0
_TRAINING_SECONDS: Final = 300.0
_SWAP_SECONDS: Final = 15.0
_AFTER_SWAP_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class LivePlan:
    """Who plays: the simulated population, questions per second, and for how many seconds at least."""

    seed: int
    customers: int
    rate: float
    seconds: float


@dataclass(frozen=True, slots=True)
class LiveResult:
    """What the two processes measured, and what became of the second model."""

    players: dict[str, Any]
    freshness: dict[str, Any]
    second_model: TrainingReport

    @property
    def produced(self) -> int:
        """Events that this brought into Kafka: listens, and ad events by way of reported outcomes."""
        return int(self.players["listens"] + self.players["outcomes"] + self.freshness["produced"])


class Performer:
    """`python -m <module> SETTINGS.json`, and the report that it writes."""

    def __init__(self, system: System, module: str, settings: Callable[[str], Mapping[str, Any]]) -> None:
        """`settings` makes the settings from the path of the report."""
        name = module.replace(".", "-")
        self._report = system.stack.directory / f"{name}-report.json"
        path = system.stack.directory / f"{name}.json"
        path.write_text(json.dumps(settings(str(self._report))))
        self._process = ChildProcess(
            name, [sys.executable, "-m", module, str(path)], log=system.stack.log_directory / f"{name}.log"
        )

    def start(self) -> None:
        """Begin."""
        self._process.start()

    def status(self) -> dict[str, Any]:
        """Its newest report, empty while there is none. Raises `DemoFailed` when it has ended."""
        if not self._process.alive:
            raise DemoFailed(
                f"{self._process.name} ended with code {self._process.exit_code}; see {self._process.log}."
            )
        return read_status(self._report) or {}

    def finish(self) -> dict[str, Any]:
        """Ask it to end, and return its last report. Raises `DemoFailed` when it does not end well."""
        code = self._process.terminate(timeout_s=30.0)
        report = read_status(self._report)
        if code != 0 or report is None or "p99_ms" not in report:
            raise DemoFailed(f"{self._process.name} ended with code {code} and no result; see {self._process.log}.")
        return report

    def stop(self) -> None:
        """End it if it still runs."""
        self._process.terminate()


def go_live(
    system: System, plan: LivePlan, trainer: TrainerSession, second: Sequence[str], tell: Callable[[str], None]
) -> LiveResult:
    """Let them play while `trainer` does `second`, politely; ends when both models have answered and the time is up.

    Raises `DemoFailed`.
    """
    players = Performer(system, "demo.players", lambda report: asdict(_players_settings(system, plan, report)))
    freshness = Performer(system, "demo.freshness", lambda report: asdict(_freshness_settings(system, plan, report)))
    with ExitStack() as cleanup:
        for performer in (players, freshness):
            cleanup.callback(performer.stop)
        # One after the other: what a process costs while it starts would show in the latencies that another measures.
        freshness.start()
        _await_first(freshness, "produced")
        players.start()
        _await_first(players, "asked")
        trainer.step_back()
        trainer.ask(*second)
        _watch(players, freshness, trainer, plan.seconds, tell)
        trained = to_training_report(trainer.report(timeout_s=0.1))
        return LiveResult(players.finish(), freshness.finish(), trained)


def _watch(
    players: Performer, freshness: Performer, trainer: TrainerSession, seconds: float, tell: Callable[[str], None]
) -> None:
    """Until `seconds` are over and the second model has answered for a while, or should have long since.

    Raises `DemoFailed` when one of the two has ended, or when the training takes far too long.
    """
    begun = time.monotonic()
    trained = swapped = None
    while True:
        time.sleep(_POLL_SECONDS)
        elapsed = time.monotonic() - begun
        freshness.status()
        status = players.status()
        tell(_line(status))
        if trained is None and trainer.answered():
            trained = elapsed
        if swapped is None and len(status["model_versions"]) > 1:
            swapped = elapsed
        if trained is None and elapsed > _TRAINING_SECONDS:
            raise DemoFailed(
                f"the second model was not trained within {_TRAINING_SECONDS:.0f} s; see the trainer's log."
            )
        if trained is None or elapsed < seconds:
            continue
        if elapsed - trained > _SWAP_SECONDS or (swapped is not None and elapsed - swapped > _AFTER_SWAP_SECONDS):
            return


def _line(status: Mapping[str, Any]) -> str:
    versions = len(status["model_versions"])
    return f"{status['asked']:,} asked, {status['shown']:,} shown, {status['failed']} failed, {versions} model(s)"


def _await_first(performer: Performer, count: str) -> None:
    deadline = time.monotonic() + _FIRST_SECONDS
    while not performer.status().get(count):
        if time.monotonic() > deadline:
            raise DemoFailed(f"nothing was {count} within {_FIRST_SECONDS:.0f} s; see the logs.")
        time.sleep(_POLL_SECONDS)


def _players_settings(system: System, plan: LivePlan, report: str) -> PlayersSettings:
    return PlayersSettings(
        decision=system.addresses.decision,
        kafka=system.stack.kafka,
        seed=plan.seed,
        customers=plan.customers,
        rate=plan.rate,
        report=report,
    )


def _freshness_settings(system: System, plan: LivePlan, report: str) -> FreshnessSettings:
    background_rate = max(0.0, EVENTS_PER_SECOND - plan.rate - PROBES_PER_SECOND)
    return FreshnessSettings(system.stack.kafka, system.stack.redis, background_rate, report)
