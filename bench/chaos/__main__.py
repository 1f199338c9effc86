"""`make chaos`: break things, print what became of answers, and write `var/measured/chaos.json`."""

import argparse
import time
from collections.abc import Callable, Mapping
from typing import Final

from bench.chaos import identity, overload, redis_faults, swaps
from bench.chaos.findings import Finding, render
from bench.chaos.ground import Ground, say
from bench.chaos.sizes import FULL, QUICK
from bench.measured import read_figures, write_figures
from devstack.crates import BuildFailed
from services.decision import native_front

NAME: Final = "chaos"
Scenario = Callable[[Ground, str], list[Finding]]
SCENARIOS: Final[Mapping[str, Scenario]] = {
    "overload": overload.measure,
    "redis": redis_faults.measure,
    "identity": identity.measure,
    "swaps": swaps.measure,
}


def measure_all(ground: Ground, scenarios: list[str], fronts: list[str]) -> list[Finding]:
    """Each scenario on each front."""
    findings = []
    for name in scenarios:
        for front in fronts:
            began = time.perf_counter()
            findings += SCENARIOS[name](ground, front)
            say(front, f"{name}: done in {time.perf_counter() - began:.0f} s")
    return findings


def main() -> None:
    """Run the scenarios."""
    parser = argparse.ArgumentParser(prog="python -m bench.chaos", description=__doc__)
    parser.add_argument("scenarios", nargs="*", help=f"some of: {', '.join(SCENARIOS)}; without any, all")
    parser.add_argument("--quick", action="store_true", help="less of everything: three minutes instead of fifteen")
    parser.add_argument("--front", choices=("native", "grpcio"), help="only this one")
    arguments = parser.parse_args()
    unknown = set(arguments.scenarios) - set(SCENARIOS)
    if unknown:
        parser.error(f"there is no scenario {', '.join(sorted(unknown))}; there are {', '.join(SCENARIOS)}")
    fronts = [arguments.front] if arguments.front else ["native", "grpcio"]
    if not native_front.AVAILABLE:
        print("chaos: the native front is not installed, so only grpcio is measured (`make setup` says why)")
        fronts = ["grpcio"]
    try:
        with Ground.start(QUICK if arguments.quick else FULL) as ground:
            findings = measure_all(ground, arguments.scenarios or list(SCENARIOS), fronts)
    except BuildFailed as error:
        raise SystemExit(f"chaos: {error}") from error
    # What was not measured now stays, as long as it is of the same commit.
    figures = read_figures(NAME) | {finding.name: finding.to_figure() for finding in findings}
    print(f"\n{render(findings)}\n\nwrote {write_figures(NAME, figures)}; `make measured` renders it")


if __name__ == "__main__":
    main()
