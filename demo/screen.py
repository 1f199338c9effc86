"""Progress on one screen: what is done, what is going on, how long each step took."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Protocol, Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

_REFRESHES_PER_SECOND: Final = 8


@dataclass(slots=True)
class Step:
    """One line of the screen. `tell` says what is known by now; the last word stays."""

    title: str
    begun: float = field(default_factory=time.monotonic)
    detail: str = ""
    seconds: float | None = None
    failed: bool = False

    def tell(self, detail: str) -> None:
        """Replace the detail beside the title."""
        self.detail = detail


class Screen(Protocol):
    """Where the demo tells how far it is."""

    def step(self, title: str) -> "StepBlock": ...

    def show(self, renderable: RenderableType) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class StepBlock(Protocol):
    """`with screen.step("…") as step:`; the step ends with the block."""

    def __enter__(self) -> Step: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None: ...


class LiveScreen:
    """A table that redraws itself, for a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._steps: list[Step] = []
        self._live = Live(get_renderable=self._table, console=console, refresh_per_second=_REFRESHES_PER_SECOND)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """A line with a spinner, later with a mark and the seconds it took."""
        with _timed(Step(title)) as step:
            self._steps.append(step)
            yield step

    def show(self, renderable: RenderableType) -> None:
        """Print something that stays, below the steps."""
        self._live.refresh()
        self._live.stop()
        self._console.print(renderable)

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for step in self._steps:
            mark: RenderableType = Spinner("dots")
            if step.seconds is not None:
                mark = Text("✗", "red") if step.failed else Text("✓", "green")
            seconds = time.monotonic() - step.begun if step.seconds is None else step.seconds
            table.add_row(mark, step.title, Text(f"{seconds:5.1f} s", "dim"), Text(step.detail, "cyan"))
        return table


class PlainScreen:
    """One line when a step ends, for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Printed when it is over."""
        step = Step(title)
        try:
            with _timed(step):
                yield step
        finally:
            mark = "failed" if step.failed else "done"
            line = f"{mark:6} {step.seconds or 0:6.1f} s  {step.title}"
            print(f"{line}: {step.detail}" if step.detail else line, flush=True)

    def show(self, renderable: RenderableType) -> None:
        """Print something."""
        self._console.print(renderable)


def open_screen() -> Screen:
    """A live one on a terminal, else a plain one."""
    if sys.stdout.isatty():
        return LiveScreen(Console())
    return PlainScreen(Console(width=110))


@contextmanager
def _timed(step: Step) -> Iterator[Step]:
    try:
        yield step
    except BaseException:
        step.failed = True
        raise
    finally:
        step.seconds = time.monotonic() - step.begun
