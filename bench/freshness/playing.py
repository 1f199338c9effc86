"""The players, in a process of their own: each listen is produced when it is due.

python -m bench.freshness.playing SETTINGS.json
"""

import gc
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from bench.freshness.reports import write_report
from bench.freshness.schedule import Schedule
from bench.freshness.sending import open_producer, try_send
from interlude.servicekit.producing import RecordProducer

_HEAD_START_NS: Final = 300_000_000
"""For the one who watches, to hear of the schedule."""


def play(schedule: Schedule, producer: RecordProducer) -> list[float]:
    """Produce every listen of `schedule`; returns by how many ms each was produced later than it was due. Raises
    OverflowError when Kafka takes so little that the queue is full."""
    late_ms = []
    for number in range(schedule.listens):
        listen = schedule.listen(number)
        ahead_ns = schedule.due_ns(number) - time.monotonic_ns()
        if ahead_ns > 0:
            time.sleep(ahead_ns / 1e9)
        if not try_send(producer, listen):
            raise OverflowError("Kafka does not take the listens")
        late_ms.append((time.monotonic_ns() - schedule.due_ns(number)) / 1e6)
    return late_ms


def main() -> None:
    """Says when it begins, plays all there is, and reports how punctual it was."""
    settings = json.loads(Path(sys.argv[1]).read_text())
    report = Path(settings["report"])
    with open_producer(settings["kafka"]) as producer:
        gc.freeze()
        schedule = replace(
            Schedule(**settings["schedule"]),
            began_ns=time.monotonic_ns() + _HEAD_START_NS,
            began_ms=(time.time_ns() + _HEAD_START_NS) // 1_000_000,
        )
        write_report(report, {"schedule": schedule.to_json()})
        late_ms = play(schedule, producer)
    late_p99_ms = float(np.percentile(late_ms[schedule.warm_up :], 99))
    write_report(report, {"schedule": schedule.to_json(), "late_p99_ms": late_p99_ms})


if __name__ == "__main__":
    main()
