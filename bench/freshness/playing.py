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

from bench.freshness.schedule import Schedule
from demo.percentiles import percentile
from demo.players import serving_deliveries
from demo.status import write_status
from interlude.events.topics import PARTITIONER, Topic
from interlude.events.writing import to_record
from interlude.servicekit.producing import RecordProducer

SOURCE: Final = "bench-players"
_FLUSH_SECONDS: Final = 60.0
_HEAD_START_NS: Final = 300_000_000
"""For the one who watches, to hear of the schedule."""


def play(schedule: Schedule, producer: RecordProducer) -> list[float]:
    """Produce every listen of `schedule`; returns by how many ms each was produced later than it was due."""
    late_ms = []
    for number in range(schedule.listens):
        listen = schedule.listen(number)
        record = to_record(
            listen,
            customer_id=listen.customer_id,
            event_id=listen.event_id,
            at_ms=listen.played_at_ms,
            source=SOURCE,
        )
        ahead_ns = schedule.due_ns(number) - time.monotonic_ns()
        if ahead_ns > 0:
            time.sleep(ahead_ns / 1e9)
        producer.send(Topic.LISTENS, record.key, record.value, [*record.headers])
        late_ms.append((time.monotonic_ns() - schedule.due_ns(number)) / 1e6)
    return late_ms


def main() -> None:
    """Says when it begins, plays all there is, and reports how punctual it was."""
    settings = json.loads(Path(sys.argv[1]).read_text())
    report = Path(settings["report"])
    producer = RecordProducer(settings["kafka"], client_id=SOURCE, partitioner=PARTITIONER)
    gc.freeze()
    schedule = replace(
        Schedule(**settings["schedule"]),
        began_ns=time.monotonic_ns() + _HEAD_START_NS,
        began_ms=(time.time_ns() + _HEAD_START_NS) // 1_000_000,
    )
    write_status(report, {"schedule": schedule.to_json()})
    with serving_deliveries(producer):
        late_ms = play(schedule, producer)
    producer.flush(_FLUSH_SECONDS)
    measured = late_ms[schedule.warm_up :]
    late = {f"late_p{name}_ms": percentile(measured, share) for name, share in (("50", 0.5), ("99", 0.99))}
    write_status(report, {"schedule": schedule.to_json(), **late})


if __name__ == "__main__":
    main()
