"""How training grows: `python -m bench.learning.scale`. From lakes of 1, 2.5 and 5 million listens a training set and both fits.

Each size is the trainer's own command in a process of its own, start of Spark included: `train --rows impressions --lake`. Before
that, the columns that make rows are held against `interlude.features.fold`, listener by listener. `--workers 2` runs the same job
on a standalone Spark master with so many workers.
"""

import argparse
import base64
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.learning.lake_of import CAMPAIGN, write_lake
from bench.learning.memory import PeakMemory
from bench.learning.proof import prove_rows
from bench.measured import Figure, write_figures
from devstack.places import REPOSITORY
from devstack.spark_cluster import SparkCluster

SIZES: Final = (1_000_000, 2_500_000, 5_000_000)
PROVEN_LISTENERS: Final = 100_000
MEMORY: Final = "2g"
_SEED: Final = 7
_REFUSED: Final = 2
"""The trainer's exit code when the gate refuses: it has fitted all the same."""


@dataclass(frozen=True, slots=True)
class Run:
    """One training, by its own report; `peak_bytes` of everything that it started."""

    listens: int
    rows: int
    seconds: float
    start_seconds: float
    peak_bytes: int

    @property
    def seconds_per_listen(self) -> float:
        """Without the start of Spark, which has nothing to do with the size."""
        return (self.seconds - self.start_seconds) / self.listens


def measure_scale(
    sizes: tuple[int, ...] = SIZES, master: str = "local[*]", options: tuple[str, ...] = ()
) -> dict[str, Figure]:
    """Train at every size; figures of the largest, and how the smallest compares. Raises where a training fails."""
    runs = list(_runs(sizes, master, options))
    smallest, largest = runs[0], runs[-1]
    load = (
        f"{largest.listens:,} listens in the lake, {largest.rows:,} rows, logistic regression and SVM, master {master}"
    )
    million = f"{largest.listens / 1e6:g}m"
    return {
        f"seconds_{million}_listens": Figure(round(largest.seconds, 1), "s", load),
        f"memory_{million}_listens": Figure(round(largest.peak_bytes / 2**30, 2), "GiB", load),
        "linearity": Figure(
            round(largest.seconds_per_listen / smallest.seconds_per_listen, 3),
            "×",
            f"seconds per listen at {largest.listens:,} over those at {smallest.listens:,}, without the start of Spark",
        ),
    }


def train(lake: Path, listens: int, master: str, options: tuple[str, ...] = (), memory: str = MEMORY) -> Run:
    """One training on that lake. Raises RuntimeError with the end of what it said."""
    with tempfile.TemporaryDirectory() as store:
        command = [
            sys.executable, "-m", "services.trainer", "train", "--rows", "impressions", "--lake", str(lake), "--campaign", CAMPAIGN,
            *options,
        ]  # fmt: skip
        process = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env=_environment(store, master, memory),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with PeakMemory(process.pid) as watched:
            said, complaints = process.communicate()
    if process.returncode not in (0, _REFUSED):
        raise RuntimeError(f"training on {listens:,} listens ended with {process.returncode}: {complaints[-2000:]}")
    report: dict[str, Any] = json.loads(said.splitlines()[-1])
    print(f"{listens:>10,} listens: {json.dumps(report['seconds'])}, {watched.peak_bytes / 2**30:.2f} GiB", flush=True)
    seconds = report["seconds"]
    return Run(listens, report["rows"], seconds["total"], seconds["start"], watched.peak_bytes)


def _runs(sizes: tuple[int, ...], master: str, options: tuple[str, ...]) -> Iterator[Run]:
    for listens in sizes:
        with tempfile.TemporaryDirectory() as directory:
            lake = Path(directory) / "lake"
            write_lake(lake, listens, _SEED)
            yield train(lake, listens, master, options)


def _environment(store: str, master: str, memory: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TRAINER_")}
    return {
        **inherited,
        "TRAINER_MODEL_STORE": store,
        "TRAINER_MODEL_PRIVATE_KEY": base64.b64encode(bytes(32)).decode(),
        "TRAINER_SPARK_MASTER": master,
        "TRAINER_SPARK_MEMORY": memory,
    }


def main() -> None:
    """Prove, measure, print, and write `var/measured/learning-scale.json`."""
    parser = argparse.ArgumentParser(prog="python -m bench.learning.scale", description=__doc__)
    parser.add_argument("--listens", default=",".join(map(str, SIZES)), help="sizes, comma-separated, smallest first")
    parser.add_argument(
        "--listeners", type=int, default=PROVEN_LISTENERS, help="so many are folded one by one and compared"
    )
    parser.add_argument("--workers", type=int, default=0, help="of a standalone Spark; 0: local[*]")
    arguments = parser.parse_args()
    compared = prove_rows(arguments.listeners, _SEED)
    print(f"{arguments.listeners:,} listeners: {compared:,} rows and every kept listen as folded", flush=True)
    sizes = tuple(int(part) for part in arguments.listens.split(","))
    with ExitStack() as cleanup:
        workers = arguments.workers
        master = cleanup.enter_context(SparkCluster.start(workers)).url if workers else "local[*]"
        figures = measure_scale(sizes, master)
    figures["listeners_as_folded"] = Figure(
        arguments.listeners, "", f"all of {arguments.listeners:,}, {compared:,} rows"
    )
    for name, figure in figures.items():
        print(f"{name:24} {figure.value:10} {figure.unit}  ({figure.compared_to})")
    print(f"\nwrote {write_figures('learning-scale', figures)}; `make measured` renders it")


if __name__ == "__main__":
    main()
