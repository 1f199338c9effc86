"""The commands of the enricher: what can be asked for, and how they end."""

import argparse
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from interlude.servicekit.errors import Unavailable
from interlude.servicekit.redis import connect
from services.enricher.claim import AnotherRebuild
from services.enricher.erase import customer_ids_in, erase
from services.enricher.erasing import EraseFailed
from services.enricher.handler import STREAMS
from services.enricher.rebuild import rebuild
from services.enricher.rebuilding import RebuildFailed
from services.enricher.settings import EnricherSettings

OK: Final = 0
FAILED: Final = 1
"""It came to no end: a sentence on standard error says why."""
ANOTHER_REBUILD: Final = 3
"""Another rebuild is at work or was quicker."""


def run_command(arguments: Sequence[str], settings: EnricherSettings, stop: threading.Event) -> int:
    """Run the command in `arguments`; returns the exit code."""
    asked = build_parser().parse_args(arguments)
    client = connect(settings.redis_url, timeout_ms=settings.redis_timeout_ms)
    try:
        if asked.command == "rebuild":
            rebuild(settings, client, STREAMS, stop, verify=asked.verify)
        else:
            customer_ids = customer_ids_in(asked.customer, asked.file)
            erase(settings, client, customer_ids, stop, is_confirmed=asked.yes, wait_seconds=asked.wait_seconds)
    except (Unavailable, RebuildFailed, EraseFailed) as reason:
        return _end(reason, FAILED)
    except AnotherRebuild as reason:
        return _end(reason, ANOTHER_REBUILD)
    finally:
        client.close()
    return OK


def _end(reason: Exception, code: int) -> int:
    print(reason, file=sys.stderr, flush=True)
    return code


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m services.enricher")
    commands = parser.add_subparsers(dest="command", required=True)
    again = commands.add_parser("rebuild", help="make all states anew from Kafka, then bring them into use")
    again.add_argument("--verify", action="store_true", help="compare with the states in use before the switch")
    forget = commands.add_parser("erase", help="forget customers, with a receipt")
    who = forget.add_mutually_exclusive_group(required=True)
    who.add_argument("customer", nargs="?", help="customer id")
    who.add_argument("--file", type=Path, help="file with one customer id a line")
    forget.add_argument("--yes", action="store_true", help="do not ask")
    forget.add_argument(
        "--wait-seconds", type=float, default=60.0, help="how long the enrichers may take to apply it (%(default)s)"
    )
    return parser
