"""`make chaos`: break things, print what became of answers, and write `var/measured/chaos.json`."""

import argparse
import time
from collections.abc import Callable, Mapping
from typing import Final

from bench.chaos import identity, overload, redis_faults, swaps
from bench.chaos.enricher import scenario as enricher
from bench.chaos.findings import Finding
from bench.chaos.ground import Ground, say
from bench.chaos.publishing import publish
from bench.chaos.sizes import ENRICHER_FULL, ENRICHER_QUICK, FULL, QUICK
from devstack.crates import BuildFailed
from services.decision import native_front

Scenario = Callable[[Ground, str], list[Finding]]
SCENARIOS: Final[Mapping[str, Scenario]] = {
    "overload": overload.measure,
    "redis": redis_faults.measure,
    "identity": identity.measure,
    "swaps": swaps.measure,
}
"""Of the decision service, each on each front."""
ENRICHER: Final = "enricher"


def measure_all(ground: Ground, scenarios: list[str], fronts: list[str]) -> list[Finding]:
    """Each scenario on each front."""
    findings = []
    for name in scenarios:
        for front in fronts:
            began = time.perf_counter()
            findings += SCENARIOS[name](ground, front)
            say(front, f"{name}: done in {time.perf_counter() - began:.0f} s")
    return findings


def measure_decisions(scenarios: list[str], front: str | None, *, quick: bool) -> list[Finding]:
    """The scenarios of the decision service, on one ground. Raises BuildFailed."""
    fronts = [front] if front else ["native", "grpcio"]
    if not native_front.AVAILABLE:
        print("chaos: the native front is not installed, so only grpcio is measured (`make setup` says why)")
        fronts = ["grpcio"]
    with Ground.start(QUICK if quick else FULL) as ground:
        return measure_all(ground, scenarios, fronts)


def main() -> None:
    """Run the scenarios."""
    known = [*SCENARIOS, ENRICHER]
    parser = argparse.ArgumentParser(prog="python -m bench.chaos", description=__doc__)
    parser.add_argument("scenarios", nargs="*", help=f"some of: {', '.join(known)}; without any, all")
    parser.add_argument("--quick", action="store_true", help="less of everything: five minutes instead of twenty-five")
    parser.add_argument("--front", choices=("native", "grpcio"), help="only this one")
    asked = parser.parse_args()
    unknown = set(asked.scenarios) - set(known)
    if unknown:
        parser.error(f"there is no scenario {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    scenarios = asked.scenarios or known
    findings: list[Finding] = []
    try:
        if of_decisions := [name for name in scenarios if name != ENRICHER]:
            findings += measure_decisions(of_decisions, asked.front, quick=asked.quick)
    except BuildFailed as error:
        raise SystemExit(f"chaos: {error}") from error
    if ENRICHER in scenarios:
        findings += enricher.measure(ENRICHER_QUICK if asked.quick else ENRICHER_FULL)
    publish(findings)


if __name__ == "__main__":
    main()
