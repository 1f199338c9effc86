"""The memory of a process and of everything that it started, as Linux counts it: shared pages are divided among their sharers."""

import threading
from pathlib import Path
from typing import Final

_POLL_SECONDS: Final = 0.5


class PeakMemory:
    """Watches a process tree from a thread of its own; use as a context. `peak_bytes` is the greatest sum that was seen."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.peak_bytes = 0

    def __enter__(self) -> "PeakMemory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(_POLL_SECONDS):
            self.peak_bytes = max(self.peak_bytes, sum(map(_proportional_bytes, tree_of(self._pid))))


def tree_of(pid: int) -> list[int]:
    """The process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit() and (parent := _parent_of(int(directory.name))) is not None:
            children.setdefault(parent, []).append(int(directory.name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def _parent_of(pid: int) -> int | None:
    try:
        # The name stands in brackets and may hold anything; the state and the parent come after it.
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return None


def _proportional_bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0  # it has ended
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
