"""What a run of the demo was asked for."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from demo.summary import SUMMARY_FILE


@dataclass(frozen=True, slots=True)
class Options:
    """`data`: directory of the real logs, None: simulated listeners. `rate`: questions a second; `seconds`: of live traffic,
    at least. `summary`: file for the numbers."""

    data: Path | None
    customers: int
    seed: int
    rate: float
    seconds: float
    keep: bool
    summary: Path


def parse_options(arguments: list[str] | None = None) -> Options:
    """From the command line; ends the process with the usage when that makes no sense."""
    parser = argparse.ArgumentParser(
        prog="python -m demo", description="The main job end to end, on real Kafka, Redis, Spark and an SMS operator."
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="replay the real logs in DIR (default: simulate)")
    parser.add_argument("--customers", type=_positive, default=2000, help="simulated customers (default 2000)")
    parser.add_argument("--seed", type=int, default=7, help="of the simulation (default 7)")
    parser.add_argument("--rate", type=_positive, default=200, help="questions per second (default 200)")
    parser.add_argument("--seconds", type=_positive, default=12, help="of live traffic, at least (default 12)")
    parser.add_argument("--summary", type=Path, default=SUMMARY_FILE, metavar="FILE", help="where the numbers go")
    parser.add_argument("--keep", action="store_true", help="stay up until Ctrl-C")
    given = parser.parse_args(arguments)
    return Options(
        data=given.data,
        customers=given.customers,
        seed=given.seed,
        rate=float(given.rate),
        seconds=float(given.seconds),
        keep=given.keep,
        summary=given.summary,
    )


def _positive(text: str) -> int:
    if (value := int(text)) < 1:
        raise argparse.ArgumentTypeError("at least 1 is needed")
    return value
