"""Loads that go on while something is broken."""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.bodies import write_bodies, write_scores
from bench.chaos.reports import Report
from bench.loading import METHODS
from bench.population import scores_of
from bench.servers import Scene, Server
from interlude.client.answers import DEADLINE_MS

CONNECTIONS: Final = 4
_PATIENCE_SECONDS: Final = 30.0
"""Beyond the time that a load was given."""


class RunningLoad:
    """A load on its way."""

    def __init__(self, process: "subprocess.Popen[str]", seconds: float) -> None:
        self._process = process
        self._seconds = seconds

    @property
    def pid(self) -> int:
        """Of the generator."""
        return self._process.pid

    def report(self) -> Report:
        """Closes its input, which ends it where it was told to end with that, and waits for its end."""
        output, _ = self._process.communicate(timeout=self._seconds + _PATIENCE_SECONDS)
        if self._process.returncode != 0:
            raise RuntimeError(f"the load generator ended with code {self._process.returncode}")
        return Report.read(output)


class Generator:
    """Asks for decisions on listeners of a scene, each load with other request ids; every answer is held against its request."""

    def __init__(self, program: Path, scene: Scene) -> None:
        self._program = program
        self._bodies = write_bodies(scene.directory / "bodies", len(scene.vectors))
        self._scores = write_scores(scene.directory / "scores", scores_of(scene.vectors))
        self._seed = 0

    @contextmanager
    def closed(
        self, server: Server, in_flight: int, seconds: float, *, calls: int = 0, cancel: float = 0, deadline_ms: int = 0
    ) -> Iterator[RunningLoad]:
        """So many calls in flight, for `seconds` or until `calls` were made; a share `cancel` is given up."""
        options: dict[str, object] = {
            "calls": calls,
            "cancel": cancel,
            "deadline_ms": deadline_ms,
            "scores": self._scores,
        }
        with self._start(server, "closed", [in_flight], [seconds], options) as load:
            yield load

    @contextmanager
    def open(
        self,
        server: Server,
        rates: Sequence[float],
        seconds: Sequence[float],
        *,
        window_ms: int,
        until_told: bool = False,
        throttle: bool = False,
    ) -> Iterator[RunningLoad]:
        """Each of `rates` (calls a second) for as many `seconds`, or until the report is asked for. `throttle`: calls are held back
        while too many are refused, as by our own clients."""
        options = {
            "window_ms": window_ms,
            "deadline_ms": DEADLINE_MS,
            "give_up": "yes",
            "throttle": "yes" if throttle else "no",
            "stdin": "yes" if until_told else "no",
        }
        with self._start(server, "open", rates, seconds, options) as load:
            yield load

    @contextmanager
    def _start(
        self,
        server: Server,
        shape: str,
        amounts: Sequence[float],
        seconds: Sequence[float],
        options: Mapping[str, object],
    ) -> Iterator[RunningLoad]:
        self._seed += 1
        options = {
            **options,
            "bodies": self._bodies,
            "decisions": "yes",
            "seed": self._seed,
            "connections": CONNECTIONS,
        }
        command = [str(self._program), server.target, METHODS["decide"], shape, _list(amounts)]
        command += [f"seconds={_list(seconds)}", *(f"{name}={value}" for name, value in options.items())]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            yield RunningLoad(process, sum(seconds))
        finally:
            process.kill()
            process.wait()


def _list(numbers: Sequence[float]) -> str:
    return ",".join(f"{number:g}" if isinstance(number, int) else f"{number:.3f}" for number in numbers)
