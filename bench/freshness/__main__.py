"""`make bench-freshness`: measure, print, and write `var/measured/freshness.json`."""

import argparse
from collections.abc import Callable, Mapping
from typing import Final

from bench.chaos.findings import Finding, render
from bench.freshness.beside_spark import measure_side_by_side
from bench.freshness.figures import freshness_findings, throughput_findings
from bench.freshness.ground import Ground
from bench.freshness.sizes import FULL, QUICK
from bench.freshness.throughput import measure_throughput
from bench.measured import read_figures, write_figures

NAME: Final = "freshness"


PARTS: Final[Mapping[str, Callable[[Ground], list[Finding]]]] = {
    "freshness": lambda ground: freshness_findings(ground.sizes, measure_side_by_side(ground)),
    "throughput": lambda ground: throughput_findings(ground.sizes, measure_throughput(ground)),
}


def main() -> None:
    """Run the measurements."""
    parser = argparse.ArgumentParser(prog="python -m bench.freshness", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="less of everything: two minutes instead of five")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of: {', '.join(PARTS)}; without any, all")
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - set(PARTS)
    if unknown:
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    with Ground.start(QUICK if arguments.quick else FULL) as ground:
        findings = [finding for name in arguments.parts or PARTS for finding in PARTS[name](ground)]
    # What was not measured now stays, as long as it is of the same commit.
    figures = read_figures(NAME) | {finding.name: finding.to_figure() for finding in findings}
    print(f"\n{render(findings)}\n\nwrote {write_figures(NAME, figures)}; `make measured` renders it")


if __name__ == "__main__":
    main()
