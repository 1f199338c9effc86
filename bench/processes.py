"""What processes take of the machine."""

import os
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import Final

OTHERS: Final = "others"
_CLOCK_TICKS: Final = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Processor seconds that a process and its threads have taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _CLOCK_TICKS


def resident_mib(pid: int) -> float:
    """Memory of a process that is in RAM, MiB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


class ProcessorMeter:
    """How many processors each of some processes keeps busy, from one look to the next."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = pids
        self._began = perf_counter()
        self._before = self._now()

    def busy(self) -> dict[str, float]:
        """Processors busy since the meter was made, by name; `others` are all processes that have none."""
        seconds = perf_counter() - self._began
        busy = {name: (after - self._before[name]) / seconds for name, after in self._now().items()}
        return {**busy, OTHERS: busy[OTHERS] - sum(value for name, value in busy.items() if name != OTHERS)}

    def _now(self) -> dict[str, float]:
        return {OTHERS: _all_seconds()} | {name: cpu_seconds(pid) for name, pid in self._pids.items()}


def _all_seconds() -> float:
    """Processor seconds of the whole machine that were not idle, not spent waiting, and not stolen by another one."""
    user, nice, system, _idle, _waiting, *interrupts = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:8]
    return sum(map(int, (user, nice, system, *interrupts))) / _CLOCK_TICKS
