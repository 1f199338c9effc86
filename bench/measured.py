"""Figures on disk: `var/measured/<name>.json`, with the machine and the commit they belong to."""

import json
import os
import platform
import subprocess
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from timeit import repeat

DIRECTORY = Path("var/measured")


@dataclass(frozen=True, slots=True)
class Figure:
    """One number. `compared_to` says what a ratio is relative to, or under which load an absolute value was taken."""

    value: float
    unit: str
    compared_to: str


def write_figures(name: str, figures: dict[str, Figure]) -> Path:
    """Write the figures of one measurement; returns the file."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    path = DIRECTORY / f"{name}.json"
    document = {
        "name": name,
        "commit": _commit(),
        "machine": _machine(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "figures": {key: asdict(figure) for key, figure in figures.items()},
    }
    path.write_text(json.dumps(document, indent=2) + "\n")
    return path


def read_figures(name: str) -> dict[str, Figure]:
    """The figures of that measurement's last run, so that a part of it can be measured anew; none when they are of another
    commit."""
    path = DIRECTORY / f"{name}.json"
    document = json.loads(path.read_text()) if path.exists() else {}
    if document.get("commit") != _commit():
        return {}
    return {key: Figure(**figure) for key, figure in document["figures"].items()}


def _commit() -> str:
    answer = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return answer.stdout.strip() or "unknown"


def _machine() -> str:
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    python = f"Python {platform.python_version()} ({_turn_ns():.0f} ns for one turn of a loop)"
    return f"{os.cpu_count()} × {model}, {platform.system()} {platform.release()}, {python}"


def _turn_ns() -> float:
    """Python's own speed here, at its best: one that was compiled by hand without optimisation took 1.5 to 2 times as long as
    Debian's on one machine, and machines differ as much."""
    rounds = repeat("for number in turns: total += number", "turns = range(100_000); total = 0", number=1, repeat=20)
    return min(rounds) / 100_000 * 1e9
