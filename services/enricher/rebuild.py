"""`python -m services.enricher rebuild`: the states made anew from Kafka, beside those in use."""

import json
import threading
import time
from collections.abc import Iterable

import redis

from interlude.servicekit.bounded_reading import BoundedReader
from interlude.servicekit.group_offsets import Committed, GroupOffsets
from interlude.servicekit.redis import ConnectionPerThread
from services.enricher.claim import claim
from services.enricher.rebuilding import Rebuild, RebuildFailed
from services.enricher.settings import EnricherSettings
from services.enricher.store import StateStore


def rebuild(
    settings: EnricherSettings, client: "redis.Redis", topics: Iterable[str], stop: threading.Event, *, verify: bool
) -> None:
    """Rebuild, and print what was done as JSON on standard output, also where it came to no end. Raises `Unavailable`,
    `AnotherRebuild`, `RebuildFailed`."""
    group = GroupOffsets(settings.kafka_bootstrap, settings.group_id, topics)
    try:
        places = group.places()
        committed = group.committed(places)
        if not committed:
            raise RebuildFailed(
                f"group {settings.group_id} has committed nothing: there is nothing to rebuild, an enricher begins at the beginning"
            )
        held = claim(client, _highest(committed.values()), time.time_ns() // 1_000_000, stop)
        try:
            reader = BoundedReader(settings.kafka_bootstrap, "enricher-rebuild", places)
            connection = ConnectionPerThread(settings.redis_url, timeout_ms=settings.redis_timeout_ms)
            _run(Rebuild(client, StateStore(connection, held), group, held, reader, stop), verify=verify)
            reader.close()
        finally:
            held.release()
    finally:
        group.close()


def _run(run: Rebuild, *, verify: bool) -> None:
    try:
        run.run(verify=verify)
    finally:
        print(json.dumps(run.summary.as_json()), flush=True)


def _highest(committed: Iterable[Committed]) -> int:
    """The highest generation in which anything was committed: a Redis that lost its data does not know it any more."""
    numbers = [each.metadata.partition(":")[0] for each in committed]
    return max((int(number) for number in numbers if number.isdecimal()), default=0)
