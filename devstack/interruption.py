"""Turns the signals that would end us on the spot into an exception, so that `with` blocks can clean up."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_SIGNALS: Final = (signal.SIGTERM, signal.SIGHUP)
_EXIT_CODE_BASE: Final = 128  # a shell's convention for "ended by signal n"


def _exit(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(_EXIT_CODE_BASE + number)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Within the block, SIGTERM and SIGHUP raise SystemExit, as far as nobody else handles them.

    Outside the main thread nothing changes, because Python delivers no signals there.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ours = [number for number in _SIGNALS if signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, _exit)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)
