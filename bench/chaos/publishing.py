"""Findings on the screen and in `var/measured/chaos.json`."""

from collections.abc import Sequence
from typing import Final

from bench.chaos.findings import Finding, render
from bench.measured import read_figures, write_figures

NAME: Final = "chaos"


def publish(findings: Sequence[Finding]) -> None:
    """Print and write them. What was not measured now stays, as long as it is of the same commit."""
    figures = read_figures(NAME) | {finding.name: finding.to_figure() for finding in findings}
    print(f"\n{render(findings)}\n\nwrote {write_figures(NAME, figures)}; `make measured` renders it")
