"""A child process that one talks with: a line on its standard input, a line on its standard output; its log has the rest."""

import os
import select
import subprocess
import time
from contextlib import suppress
from typing import IO, Final

from devstack.process import ChildProcess, ProcessFailed

_CHUNK_BYTES: Final = 65536


class ConversingProcess(ChildProcess):
    """Say a line, then wait for the answer. For one thread."""

    _heard: bytes = b""

    def say(self, line: str) -> None:
        """Hand over one line. Raises ProcessFailed when it has ended."""
        pipe = self._started().stdin
        assert pipe is not None
        try:
            pipe.write(line.encode() + b"\n")
            pipe.flush()
        except OSError as error:
            raise self._silent() from error

    def hear(self, timeout_s: float) -> str | None:
        """The next line, None when it does not come in time. Raises ProcessFailed when it ended without."""
        pipe = self._started().stdout
        assert pipe is not None
        deadline = time.monotonic() + timeout_s
        while b"\n" not in self._heard:
            if not select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
                return None
            chunk = os.read(pipe.fileno(), _CHUNK_BYTES)
            if not chunk:
                raise self._silent()
            self._heard += chunk
        line, self._heard = self._heard.split(b"\n", 1)
        return line.decode()

    def kill(self) -> None:
        """SIGKILL, waits for the end, and hangs up."""
        super().kill()
        self._hang_up()

    def terminate(self, timeout_s: float = 10.0) -> int | None:
        """SIGTERM, after `timeout_s` SIGKILL, and hangs up. Returns the exit code, None when it was never started."""
        code = super().terminate(timeout_s)
        self._hang_up()
        return code

    def _hang_up(self) -> None:
        if self._process is not None:
            for pipe in (self._process.stdin, self._process.stdout):
                with suppress(OSError):
                    if pipe is not None:
                        pipe.close()

    def _spawn(self, log: IO[bytes], *, piped: bool = True) -> subprocess.Popen[bytes]:
        self._heard = b""  # what an earlier run left unread is no answer of this one
        return super()._spawn(log, piped=piped)

    def _silent(self) -> ProcessFailed:
        return ProcessFailed(f"{self.name} ended without an answer{self._log_note()}")
