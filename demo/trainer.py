"""The trainer as one child process for all of the demo: one Spark session, whose start and warm code every command shares."""

import json
import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from demo.errors import DemoFailed
from devstack.conversation import ConversingProcess
from devstack.service import service_environment
from devstack.stack import Stack

_REFUSED: Final = 2
_NICENESS: Final = 19
_START_SECONDS: Final = 90.0
_PROCESSES: Final = Path("/proc")


class TrainerSession:
    """`python -m services.trainer session`: ask, and wait for the report. Use it in the main thread."""

    def __init__(self, stack: Stack, environment: Mapping[str, str]) -> None:
        """`environment` has the trainer's settings."""
        self._process = ConversingProcess(
            "trainer",
            [sys.executable, "-m", "services.trainer", "session"],
            log=stack.log_directory / "trainer.log",
            environment=service_environment(environment),
        )
        self._asked = ""
        self._answer: dict[str, Any] | None = None

    def start(self) -> None:
        """Begin; Spark comes up while others do something else."""
        self._process.start()
        self.ask("list")  # the first answer says that it is up

    def wait_until_up(self) -> None:
        """Until Spark takes commands. Raises `DemoFailed`."""
        self.report(_START_SECONDS)

    def ask(self, *arguments: str) -> None:
        """Hand over one command."""
        self._asked, self._answer = arguments[0], None
        self._process.say(shlex.join(arguments))

    def answered(self, timeout_s: float = 0.0) -> bool:
        """Whether the command that was asked for last has ended."""
        if self._answer is None:
            line = self._process.hear(timeout_s)
            self._answer = None if line is None else json.loads(line)
        return self._answer is not None

    def report(self, timeout_s: float) -> Any:
        """The report of that command; also when the gate refused. Raises `DemoFailed` when it fails or takes longer."""
        if not self.answered(timeout_s) or self._answer is None:
            raise DemoFailed(f"'{self._asked}' did not end within {timeout_s:.0f} s; see {self._process.log}.")
        code, complaints = self._answer["exit_code"], " ".join(self._answer["complaints"])
        if code not in (0, _REFUSED) or self._answer["report"] is None:
            raise DemoFailed(f"'{self._asked}' ended with code {code}: {complaints}; see {self._process.log}.")
        return self._answer["report"]

    def step_back(self) -> None:
        """From now on it takes only the processor time that nobody else wants."""
        step_back(self._process.pid)

    def stop(self) -> None:
        """End it."""
        self._process.terminate()


def step_back(pid: int) -> None:
    """Have the scheduler run a process, its threads and its descendants when nobody else wants the processor: whoever
    becomes runnable takes it at once. What has no such policy is asked to be nice."""
    if not hasattr(os, "SCHED_IDLE"):
        os.setpriority(os.PRIO_PGRP, pid, _NICENESS)
        return
    for process in [pid, *_descendants(pid)]:
        for thread in (_PROCESSES / str(process) / "task").glob("*"):
            with suppress(ProcessLookupError):
                os.sched_setscheduler(int(thread.name), os.SCHED_IDLE, os.sched_param(0))


def _descendants(pid: int) -> Iterator[int]:
    for children in (_PROCESSES / str(pid) / "task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, children.read_text().split()):
                yield child
                yield from _descendants(child)
