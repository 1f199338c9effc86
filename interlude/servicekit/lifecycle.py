"""From start to stop: one event that SIGTERM and SIGINT set, one way to refuse to start, and when garbage is looked for."""

import gc
import signal
import sys
import threading
from types import FrameType
from typing import Final, NoReturn

REFUSED_TO_START: Final = 78
"""EX_CONFIG of sysexits.h."""

_CONTAINERS_BETWEEN_COLLECTIONS: Final = 50_000


def stop_on_signals() -> threading.Event:
    """An event that is set by SIGTERM or SIGINT. Call from the main thread."""
    stop = threading.Event()

    def set_stop(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, set_stop)
    signal.signal(signal.SIGINT, set_stop)
    return stop


def refuse_to_start(service: str, reason: Exception) -> NoReturn:
    """End the process with a sentence a person can act on instead of a traceback."""
    print(f"{service} does not start: {reason}", file=sys.stderr, flush=True)
    raise SystemExit(REFUSED_TO_START)


def collect_rarely() -> None:
    """Take what is loaded out of the garbage collector's sight, and let it look less often. Call it when all is set up.

    For a service that makes and drops thousands of tuples a batch: they end by themselves, and looking for circles among them and
    all modules takes a fifth of its time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_CONTAINERS_BETWEEN_COLLECTIONS)
