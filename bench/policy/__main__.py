"""`make bench-policy`: measure, print, and write `var/measured/policy.json`."""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Final

from bench.measured import DIRECTORY, Figure, write_figures
from bench.policy import chances, cost, explains, explanations, races, replays
from devstack.places import REPOSITORY
from services.decision import native_front

_GOLDEN: Final = REPOSITORY / "tests" / "golden" / "decisions"

Measurement = Callable[[], dict[str, Figure]]


def _fronts() -> list[str]:
    return ["native", "grpcio"] if native_front.AVAILABLE else ["grpcio"]


def _golden_cases() -> dict[str, Figure]:
    count = sum(1 for _ in _GOLDEN.glob("*.json"))
    return {"golden_cases": Figure(count, "files", "decisions with their explanations, for people to read")}


def _mutation() -> dict[str, Figure]:
    """In a process of its own: a mutant has to import the policy itself."""
    subprocess.run([sys.executable, "-m", "bench.policy.mutation"], check=True)
    figures = json.loads((DIRECTORY / "mutation.json").read_text())["figures"]
    return {name: Figure(**figure) for name, figure in figures.items()}


MEASUREMENTS: Final[dict[str, Measurement]] = {
    "races": lambda: races.measure(_fronts()),
    "replays": lambda: replays.measure(_fronts()[0]),
    "explains": explains.measure,
    "nearest": explanations.measure,
    "chances": chances.measure,
    "cost": cost.measure,
    "golden": _golden_cases,
    "mutation": _mutation,
}


def main() -> None:
    """Run the measurements."""
    parser = argparse.ArgumentParser(prog="python -m bench.policy", description=__doc__)
    parser.add_argument("only", nargs="*", metavar="ONLY", help="without any: all, some twenty minutes")
    only = parser.parse_args().only
    unknown = set(only) - set(MEASUREMENTS)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(MEASUREMENTS)}")
    figures: dict[str, Figure] = {}
    for name, measure in MEASUREMENTS.items():
        if not only or name in only:
            print(f"-- {name}", flush=True)
            figures |= measure()
    for name, figure in figures.items():
        print(f"{name:24} {figure.value:10} {figure.unit}  ({figure.compared_to})")
    if not only:
        print(f"\nwrote {write_figures('policy', figures)}; `make measured` renders it")


if __name__ == "__main__":
    main()
