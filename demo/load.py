"""`python -m demo.load --kafka HOST:PORT --data DIR`: the real logs into a Kafka that has the topics already.

Files of any size, a line at a time. Bad lines are named on standard error and counted; they do not stop the load. A load that was
broken off is repeated from the beginning: the same lines have the same event ids, and what is in a state already changes nothing.
"""

import argparse
import logging
import sys
import time
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Final

from demo.real_logs import BadLine, LogsMissing, OnBadLine, check_logs, read_clicks, read_customers, read_listens
from demo.replay import RecordSink, of_ad_event, of_customer, of_listen, replay, replay_producer
from interlude.events.topics import Topic
from interlude.servicekit.errors import Unavailable

SOURCE: Final = "demo-load"
_BAD_LINES_NAMED: Final = 20


class BadLines:
    """Names the first few on standard error as they come, and counts them all."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, bad_line: BadLine) -> None:
        """One more."""
        self.count += 1
        if self.count <= _BAD_LINES_NAMED:
            print(bad_line, file=sys.stderr)
        elif self.count == _BAD_LINES_NAMED + 1:
            print("there are more bad lines, which are counted", file=sys.stderr)


def load(directory: Path, now_ms: int, sink: RecordSink, on_bad_line: OnBadLine) -> Counter[Topic]:
    """Customers first, then listens and clicks, each in the order of their file; returns how many are in Kafka, by topic.

    Raises `LogsMissing` before anything is sent; `Unavailable` when Kafka does not take them all.
    """
    check_logs(directory)
    events = chain(
        map(of_customer, read_customers(directory, now_ms, on_bad_line)),
        map(of_listen, read_listens(directory, now_ms, on_bad_line)),
        map(of_ad_event, read_clicks(directory, now_ms, on_bad_line)),
    )
    return replay(events, sink, SOURCE)


def main() -> None:
    """Reads the files, sends them, says how many; exits with one sentence when that fails."""
    parser = argparse.ArgumentParser(prog="python -m demo.load", description="Load the real logs into Kafka.")
    parser.add_argument("--kafka", required=True, metavar="HOST:PORT", help="bootstrap server")
    parser.add_argument("--data", required=True, type=Path, metavar="DIR", help="directory of the three csv files")
    options = parser.parse_args()
    logging.getLogger("kafka").addHandler(logging.NullHandler())
    started, bad_lines = time.monotonic(), BadLines()
    try:
        sent = load(options.data, time.time_ns() // 1_000_000, replay_producer(options.kafka), bad_lines)
    except LogsMissing as error:
        sys.exit(str(error))
    except Unavailable as error:
        sys.exit(f"Kafka at {options.kafka} did not take everything: {error}. Load again: nothing counts twice.")
    counts = ", ".join(f"{count} {topic}" for topic, count in sent.items())
    print(f"{counts} in {time.monotonic() - started:.1f} s, {bad_lines.count} bad lines left out")


if __name__ == "__main__":
    main()
