"""`make bench`: measure, print, and write `var/measured/decision.json`."""

import argparse

from bench.decision import measure_all
from bench.measured import write_figures


def main() -> None:
    """Run the measurements."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often each load is repeated, interleaved")
    parser.add_argument("--seconds", type=float, default=2, help="length of each load")
    parser.add_argument("--peers", action="store_true", help="also Feast and MLServer, side by side (minutes more)")
    arguments = parser.parse_args()
    figures = measure_all(arguments.rounds, arguments.seconds, peers=arguments.peers)
    path = write_figures("decision", figures)
    for name, figure in figures.items():
        print(f"{name:32} {figure.value:10} {figure.unit}  ({figure.compared_to})")
    print(f"\nwrote {path}; `make measured` renders it")


if __name__ == "__main__":
    main()
