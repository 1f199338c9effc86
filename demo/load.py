"""`python -m demo.load --kafka HOST:PORT --data DIR`: the real logs into a Kafka that has the topics already.

Bad lines are named on standard error and counted; they do not stop the load.
"""

import argparse
import logging
import sys
import time
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Final

from demo.real_logs import LogsMissing, RealLogs, read_logs
from demo.replay import RecordSink, of_ad_event, of_customer, of_listen, replay, replay_producer
from interlude.events.topics import Topic
from interlude.servicekit.errors import Unavailable

SOURCE: Final = "demo-load"
_BAD_LINES_NAMED: Final = 20


def load(logs: RealLogs, sink: RecordSink) -> Counter[Topic]:
    """Customers first, then listens and clicks, each in the order of time; returns how many are in Kafka, by topic.

    Raises `Unavailable` when Kafka does not take them all.
    """
    events = chain(map(of_customer, logs.customers), map(of_listen, logs.listens), map(of_ad_event, logs.clicks))
    return replay(events, sink, SOURCE)


def report_bad_lines(logs: RealLogs) -> None:
    """Name the first few on standard error, and how many there are in all."""
    for bad_line in logs.bad_lines[:_BAD_LINES_NAMED]:
        print(bad_line, file=sys.stderr)
    unnamed = len(logs.bad_lines) - _BAD_LINES_NAMED
    if unnamed > 0:
        print(f"and {unnamed} more bad lines", file=sys.stderr)


def main() -> None:
    """Reads the files, sends them, says how many; exits with one sentence when that fails."""
    parser = argparse.ArgumentParser(prog="python -m demo.load", description="Load the real logs into Kafka.")
    parser.add_argument("--kafka", required=True, metavar="HOST:PORT", help="bootstrap server")
    parser.add_argument("--data", required=True, type=Path, metavar="DIR", help="directory of the three csv files")
    options = parser.parse_args()
    logging.getLogger("kafka").addHandler(logging.NullHandler())
    started = time.monotonic()
    try:
        logs = read_logs(options.data, time.time_ns() // 1_000_000)
        report_bad_lines(logs)
        sent = load(logs, replay_producer(options.kafka))
    except LogsMissing as error:
        sys.exit(str(error))
    except Unavailable as error:
        sys.exit(f"Kafka at {options.kafka} did not take everything: {error}.")
    counts = ", ".join(f"{count} {topic}" for topic, count in sent.items())
    print(f"{counts} in {time.monotonic() - started:.1f} s, {len(logs.bad_lines)} bad lines left out")


if __name__ == "__main__":
    main()
