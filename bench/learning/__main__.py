"""`make bench-learning`: measure, print, and write `var/measured/learning.json`."""

import argparse
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from bench.learning import coverage, leaks, loop, public_data, replayed, sabotage
from bench.measured import Figure, read_figures, write_figures
from services.trainer.session import spark_session

PARTS: Final = ("coverage", "sabotage", "leaks", "loop", "public", "replayed", "scale")
_WITH_SPARK: Final = frozenset({"leaks", "loop", "public", "replayed"})
_NEEDED: Final = {"public": "features.libsvm", "replayed": "clicks.csv"}
_SCALE: Final = "bench.learning.scale"


def main() -> None:
    """Run the measurements."""
    parser = argparse.ArgumentParser(prog="python -m bench.learning", description=__doc__)
    parser.add_argument("only", nargs="*", metavar="ONLY", help=f"of {', '.join(PARTS)}; without any: all")
    parser.add_argument(
        "--data",
        type=Path,
        default=Path("data"),
        help="directory with features.libsvm and the three logs (default: data); parts that need them are skipped without",
    )
    arguments = parser.parse_args()
    unknown = set(arguments.only) - set(PARTS)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    wanted = [part for part in PARTS if not arguments.only or part in arguments.only]
    figures = read_figures("learning") if arguments.only else {}
    figures |= _measure(wanted, arguments.data)
    path = write_figures("learning", figures)
    for name, figure in figures.items():
        print(f"{name:28} {figure.value:12} {figure.unit}  ({figure.compared_to})")
    print(f"\nwrote {path}; `make measured` renders it")


def _measure(wanted: list[str], data: Path) -> dict[str, Figure]:
    figures: dict[str, Figure] = {}
    for name, measure in (("coverage", coverage.measure), ("sabotage", sabotage.measure)):
        if name in wanted:
            print(f"-- {name}", flush=True)
            figures |= measure()
    of_spark = [part for part in wanted if part in _WITH_SPARK]
    for part, file in _NEEDED.items():
        if part in of_spark and not (data / file).is_file():
            print(f"-- {part}: skipped, there is no {data / file}", flush=True)
            of_spark.remove(part)
    if of_spark:
        figures |= _measure_with_spark(of_spark, data)
    if "scale" in wanted:
        figures |= _scale()
    return figures


def _measure_with_spark(wanted: list[str], data: Path) -> dict[str, Figure]:
    parts: dict[str, Callable[[Any], dict[str, Figure]]] = {
        "leaks": leaks.measure,
        "loop": loop.measure,
        "public": lambda spark: public_data.measure(spark, data / _NEEDED["public"]),
        "replayed": lambda spark: replayed.measure(spark, data),
    }
    figures: dict[str, Figure] = {}
    with spark_session("local[2]", "") as spark:
        for name in wanted:
            print(f"-- {name}", flush=True)
            figures |= parts[name](spark)
    return figures


def _scale() -> dict[str, Figure]:
    """In a process of its own, whose memory is measured; it writes its own figures beside these."""
    print("-- scale", flush=True)
    subprocess.run([sys.executable, "-m", _SCALE], check=True)
    return read_figures("learning-scale")


if __name__ == "__main__":
    main()
