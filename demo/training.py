"""The trainer's commands as child processes, and their reports."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from demo.errors import DemoFailed
from demo.simulator import CAMPAIGN_ID
from devstack.process import ChildProcess
from devstack.service import service_environment
from devstack.system import System

POSITIVE_CLICKS: Final = "adv_free_referral"
"""The campaign of the real logs whose clicks a model is to foresee."""

_REFUSED: Final = 2
_NICENESS: Final = 19
_ALGORITHMS: Final = ("logistic", "svm")
_MEASURES: Final = ("error", "auc", "log_loss")

IMPRESSIONS: Final = ("--rows", "impressions", "--campaign", CAMPAIGN_ID)
CLICKS: Final = ("--rows", "clicks", "--positive-campaign", POSITIVE_CLICKS)
QUICKLY: Final = (
    *("--folds", "3", "--tuning-folds", "3"),
    *("--regularisations", "0.001,0.01"),
    *("--svm-iterations", "25"),
)
"""Few folds, values and steps: enough for an honest number, quick enough to watch."""

TENFOLD: Final = (
    *("--folds", "10", "--tuning-folds", "3"),
    *("--regularisations", "0.0001,0.001"),
    *("--svm-iterations", "50"),
)
"""Ten folds, as the error of the public features file is usually told."""

AGAIN: Final = ("--algorithms", "logistic")
"""A retraining of what serves already, by now with what the players did: the better algorithm is known."""


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """What one `train` reported: the part for the summary, why the gate refused (empty: it passed), and the version."""

    summary: dict[str, Any]
    refusals: tuple[str, ...]
    version: str


class TrainerCommand:
    """One run of `python -m services.trainer`. Start it and wait for it in the main thread."""

    def __init__(self, system: System, name: str, arguments: Sequence[str], *, politely: bool = False) -> None:
        """`politely`: it takes only the processor time that nobody else wants."""
        self._report = system.stack.directory / f"{name}.json"
        self._politely = politely
        self._process = ChildProcess(
            name,
            [sys.executable, "-m", "services.trainer", *arguments, "--report", str(self._report)],
            log=system.stack.log_directory / f"{name}.log",
            environment=service_environment(system.environments.trainer()),
        )

    def start(self) -> None:
        """Begin."""
        self._process.start()
        if self._politely:
            _step_back(self._process.pid)

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.alive

    def wait(self, timeout_s: float) -> dict[str, Any]:
        """Its report, once it has ended; also when the gate refused. Raises `DemoFailed` when it fails or takes longer."""
        name, log = self._process.name, self._process.log
        try:
            code = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            raise DemoFailed(f"{name} did not end within {timeout_s:.0f} s; see {log}.") from error
        if code not in (0, _REFUSED) or not self._report.exists():
            raise DemoFailed(f"{name} ended with code {code}: {self._last_line()}; see {log}.")
        report: dict[str, Any] = json.loads(self._report.read_text())
        return report

    def stop(self) -> None:
        """End it if it still runs."""
        self._process.terminate()

    def _last_line(self) -> str:
        return self._process.log_tail(1) or "it said nothing"


def features_file(path: Path) -> tuple[str, ...]:
    """The arguments that train on a file in libsvm format."""
    return ("--features-file", str(path))


def to_training_report(report: dict[str, Any]) -> TrainingReport:
    """The trainer's report in the summary's words. Raises `DemoFailed` when something is missing in it."""
    try:
        gate = report["gate"]
        refusals = tuple(check["sentence"] for check in gate["checks"] if not check["passed"])
        summary: dict[str, Any] = {
            "rows": report["rows"],
            **{algorithm: _measures(report[algorithm]) for algorithm in _ALGORITHMS if algorithm in report},
            "never_show": {name: report["never_show"][name] for name in ("error", "log_loss")},
            "parity_max_abs": report["parity_max_abs"],
            "gate": "passed" if gate["passed"] else "refused: " + " ".join(refusals),
            "published": report["published"],
        }
    except KeyError as error:
        raise DemoFailed(f"the trainer's report has no {error}.") from error
    return TrainingReport(summary, refusals, report["published"] or "")


def _measures(candidate: dict[str, Any]) -> dict[str, Any]:
    return {name: candidate[name] for name in _MEASURES}


def _step_back(pid: int) -> None:
    """Have the scheduler run it, and all that it starts, when nobody else wants the processor: whoever becomes runnable takes
    it at once. What has no such policy is asked to be nice."""
    with suppress(ProcessLookupError):
        if hasattr(os, "SCHED_IDLE"):
            os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))
        else:
            os.setpriority(os.PRIO_PROCESS, pid, _NICENESS)
