"""One child process: started on a leash, its output in a log file, its readiness polled."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Final

from devstack.places import REPOSITORY

_LEASH: Final = str(Path(__file__).with_name("leash.py"))
_POLL_S: Final = 0.02
_TAIL_LINES: Final = 25
_TAIL_BYTES: Final = 64 * 1024


BEHIND_ANSWERS: Final = 10
"""Niceness of what may wait for a millisecond. In a cluster answers have processors of their own; where one machine does
everything, the scheduler has to be told who goes first: p99 of Decide in the demo fell from 6-8 to 4-5 ms on two cores."""


class ProcessFailed(Exception):
    """A child ended before it was ready, or was not ready in time. The message ends with the tail of its log."""


class ChildProcess:
    """A command that runs as our child until it is stopped or until we are gone.

    It has a process group of its own, so that Ctrl-C reaches only us and we end the children in order. A restart runs the same
    command again and appends to the same log.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        niceness: int = 0,
    ) -> None:
        self.name: Final = name
        self.log: Final = log
        self._command = list(command)
        self._environment = dict(os.environ if environment is None else environment)
        # Without bytecode every child, and every worker that it forks, compiles all that it imports: seconds each time.
        self._environment.pop("PYTHONDONTWRITEBYTECODE", None)
        self._niceness = niceness
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts the command. Raises RuntimeError when it runs already, or outside the main thread."""
        if self.alive:
            raise RuntimeError(f"{self.name} is running already")
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError(
                f"start {self.name} from the main thread: its leash ends with the thread that started it"
            )
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self._process = self._spawn(output)

    @property
    def pid(self) -> int:
        """Process id of the command (the leash turns into it). Raises RuntimeError before the first start."""
        return self._started().pid

    @property
    def alive(self) -> bool:
        """Whether it was started and has not ended. A paused process is alive."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Exit code once it has ended (minus the signal's number when a signal ended it), None until then."""
        return None if self._process is None else self._process.poll()

    def wait_ready(self, ready: Callable[[], bool], timeout_s: float) -> None:
        """Polls `ready` until it says yes. Raises ProcessFailed when the child ends first or the time is up."""
        deadline = time.monotonic() + timeout_s
        while not ready():
            if not self.alive:
                raise ProcessFailed(
                    f"{self.name} ended with code {self.exit_code} before it was ready{self._log_note()}"
                )
            if time.monotonic() > deadline:
                raise ProcessFailed(f"{self.name} was not ready within {timeout_s:.0f} s{self._log_note()}")
            time.sleep(_POLL_S)

    def wait(self, timeout_s: float) -> int:
        """Waits for its end and returns the exit code. Raises subprocess.TimeoutExpired."""
        return self._started().wait(timeout_s)

    def kill(self) -> None:
        """SIGKILL, and waits for the end. Nothing happens when it has ended already."""
        if self.alive:
            self._started().kill()
            self._started().wait()

    def request_stop(self) -> None:
        """SIGTERM without waiting. Nothing happens when it has ended already."""
        if self.alive:
            self._started().terminate()
            self.resume()  # a paused process does not see the signal

    def terminate(self, timeout_s: float = 10.0) -> int | None:
        """SIGTERM, after `timeout_s` SIGKILL. Returns the exit code, None when it was never started."""
        if self._process is not None and self.alive:
            self.request_stop()
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.exit_code

    def pause(self) -> None:
        """SIGSTOP: it keeps its connections and answers nothing."""
        self._started().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT, the end of a pause."""
        self._started().send_signal(signal.SIGCONT)

    def log_tail(self, lines: int = _TAIL_LINES) -> str:
        """The last lines that it wrote, empty when it wrote none."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as written:
            written.seek(max(0, self.log.stat().st_size - _TAIL_BYTES))
            text = written.read().decode("utf-8", "replace")
        return "\n".join(text.splitlines()[-lines:])

    def _spawn(self, log: IO[bytes], *, piped: bool = False) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", _LEASH, str(os.getpid()), *self._command],
            stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
            stdout=subprocess.PIPE if piped else log,
            stderr=log,
            env=self._environment,
            cwd=REPOSITORY,
            process_group=0,
        )
        if self._niceness:
            # Before it has threads and children of its own: they inherit it.
            os.setpriority(os.PRIO_PROCESS, process.pid, self._niceness)
        return process

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._process

    def _log_note(self) -> str:
        tail = self.log_tail()
        return f"; the end of {self.log}:\n{tail}" if tail else f"; {self.log} is empty"
