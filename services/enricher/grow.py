"""`python -m services.enricher.grow PARTITIONS`: more partitions for all topics about customers, checked first."""

import argparse
import json
import os
import sys
import threading
from dataclasses import asdict
from typing import Final

from interlude.events.topics import Topic
from interlude.servicekit.errors import Unavailable
from interlude.servicekit.lifecycle import refuse_to_start, stop_on_signals
from interlude.servicekit.logs import configure_logs
from interlude.servicekit.settings import InvalidSettings, load_settings
from interlude.servicekit.topic_growth import TopicGrowth
from services.enricher.growing import GrowRefused, grow
from services.enricher.handler import STREAMS
from services.enricher.settings import EnricherSettings

COMMAND: Final = "services.enricher.grow"
QUIET_SECONDS: Final = 10.0
"""How long nobody may write before it is believed that nobody does."""
OK: Final = 0
REFUSED: Final = 1


def run(settings: EnricherSettings, partitions: int, quiet_seconds: float, stop: threading.Event) -> int:
    """Grow, and print what was done as JSON; returns the exit code. A sentence on standard error says why where nothing was."""
    topics = TopicGrowth(settings.kafka_bootstrap, Topic, settings.group_id)
    try:
        growth = grow(topics, list(STREAMS), partitions, quiet_seconds, stop)
    except (GrowRefused, Unavailable) as reason:
        print(reason, file=sys.stderr, flush=True)
        return REFUSED
    finally:
        topics.close()
    print(json.dumps(asdict(growth)), flush=True)
    return OK


def main() -> None:
    """Read the command line and the settings of the enricher."""
    parser = argparse.ArgumentParser(prog=f"python -m {COMMAND}", description=__doc__)
    parser.add_argument("partitions", type=int, help="a multiple of the present number")
    parser.add_argument(
        "--quiet-seconds", type=float, default=QUIET_SECONDS, help="nobody may write for so long (%(default)s)"
    )
    asked = parser.parse_args()
    try:
        settings = load_settings(EnricherSettings, os.environ)
    except InvalidSettings as error:
        refuse_to_start(COMMAND, error)
    configure_logs("enricher", settings.log_level)
    raise SystemExit(run(settings, asked.partitions, asked.quiet_seconds, stop_on_signals()))


if __name__ == "__main__":
    main()
