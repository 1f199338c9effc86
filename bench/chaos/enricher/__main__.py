"""`python -m bench.chaos.enricher`: the same as `make chaos ONLY=enricher`."""

import argparse

from bench.chaos.enricher.scenario import measure
from bench.chaos.publishing import publish
from bench.chaos.sizes import ENRICHER_FULL, ENRICHER_QUICK


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(prog="python -m bench.chaos.enricher", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two minutes instead of ten")
    publish(measure(ENRICHER_QUICK if parser.parse_args().quick else ENRICHER_FULL))


if __name__ == "__main__":
    main()
