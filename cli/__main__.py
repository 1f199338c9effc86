"""`interlude COMMAND`, or `python -m cli COMMAND`. Exit code 0: in order; 1: problems were found; 2: wrong usage.

Each command is a module with `add_to`, which adds its parser and names the function that runs it.
"""

import argparse
import sys
from collections.abc import Sequence

from cli import campaign, dlq, explain, lift, replay


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands; parsed arguments have `run`."""
    parser = argparse.ArgumentParser(prog="interlude", description="Campaigns, and what the running services say.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (campaign, explain, replay, lift, dlq):
        command.add_to(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    parsed = build_parser().parse_args(arguments)
    code: int = parsed.run(parsed)
    return code


if __name__ == "__main__":
    sys.exit(main())
