"""What one event costs the enricher: CPU time of its thread, step by step, with real records, a real Redis and the full schema.

    python -m bench.folding [--profile]

No Kafka: records lie in memory, as librdkafka would hand them over. CPU time, not wall clock: it is the same on a busy machine.

A listener who is in a batch several times is read, encoded and written once, so it matters how many there are: events of
`CUSTOMERS` listeners at random, as in `bench.freshness`; and, as `alone_us`, every event of a batch of another listener, which is
the dearest.
"""

import argparse
import cProfile
import random
import struct
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import redis
from confluent_kafka import Message

from bench.measured import Figure, write_figures
from devstack.valkey import READY_TIMEOUT_S, RedisServer
from interlude.events.topics import Topic
from interlude.events.writing import to_record
from interlude.features.codec import encode_hot, encode_state, hot_key, state_key
from interlude.features.schema import CONTACTS_KEPT, LISTENS_KEPT
from interlude.features.state import NOTHING_APPLIED, AdEvents, Level, ListenerState, Listens, Profile, hash_id
from interlude.servicekit.dead_letter_limit import DeadLetterLimit
from interlude.servicekit.lifecycle import collect_rarely
from interlude.servicekit.redis import ConnectionPerThread, connect
from interlude.v1 import events_pb2 as pb
from services.enricher.generation import CurrentGeneration
from services.enricher.handler import EnricherHandler
from services.enricher.metrics import EnricherMetrics
from services.enricher.settings import EnricherSettings
from services.enricher.store import StateStore

CUSTOMERS: Final = 5_000
EVENTS: Final = 40_000
BATCH: Final = EnricherSettings.model_fields["batch_records"].default
STEPS: Final = ("decode", "read", "fold", "publish", "write")
_SEED: Final = 20_141_001
_NOW_MS: Final = 1_760_000_000_000
_TRACK_MS: Final = 210_000
_CAMPAIGNS: Final = ("spring", "autumn")
_ZONES: Final = ("America/Chicago", "Europe/Berlin", "")
_AD_EVENTS_SHARE: Final = 0.04
_SOURCE: Final = "bench"
_TIMEOUT_MS: Final = 10_000


class NoOutbox:
    """Where interests and dead letters would go."""

    def put_dead_letter(self, record: Message, reason: Exception) -> None:  # noqa: ARG002
        raise RuntimeError(f"a record of this measurement is refused: {reason}")

    def put_interests(self, customer_id: int, folded: object) -> None:
        """Counted by the metrics; Kafka is not part of this."""

    def flush(self) -> None:
        """Nothing waits."""


def measure(events: int = EVENTS, profiler: cProfile.Profile | None = None) -> dict[str, Figure]:
    """`event_us` of CPU in the enricher's thread, and of it per step; `events_per_cpu_second` is what that makes; `alone_us`."""
    figures = _measure(events, CUSTOMERS, profiler)
    alone = _measure(events, events, None)["event_us"]
    return figures | {"alone_us": alone}


def _measure(events: int, customers: int, profiler: cProfile.Profile | None) -> dict[str, Figure]:
    source = random.Random(_SEED)
    records = list(_records(source, events, customers))
    with _redis() as (client, states):
        _fill(client, source, customers)
        metrics = EnricherMetrics()
        limit = DeadLetterLimit(1.0, window_records=BATCH, minimum_records=BATCH)
        store = StateStore(states, CurrentGeneration(client))
        handler = EnricherHandler(store, NoOutbox(), metrics, limit, lambda: _NOW_MS, seconds=time.thread_time)
        for batch in _batches(records[:BATCH]):
            handler.handle(batch)  # whatever is only done once
        collect_rarely()  # as the service does
        before = _step_seconds(metrics)
        began = time.thread_time()
        if profiler is not None:
            profiler.enable()
        for batch in _batches(records[BATCH:]):
            handler.handle(batch)
        if profiler is not None:
            profiler.disable()
        taken = time.thread_time() - began
    steps = {step: value - before[step] for step, value in _step_seconds(metrics).items()}
    return _figures(taken, steps, events - BATCH, customers)


def main() -> None:
    """Measure, print, write `var/measured/folding.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--profile", action="store_true", help="print where the time goes, by function; nothing is written"
    )
    parser.add_argument("--events", type=int, default=EVENTS)
    options = parser.parse_args()
    profiler = cProfile.Profile(time.thread_time) if options.profile else None
    figures = measure(options.events, profiler)
    for name, figure in figures.items():
        print(f"{name:24} {figure.value:>10,} {figure.unit}")
    if profiler is None:
        write_figures("folding", figures)
    else:
        profiler.print_stats("tottime")


def _figures(taken: float, steps: dict[str, float], events: int, customers: int) -> dict[str, Figure]:
    under = (
        f"CPU of the enricher's thread, {events:,} events of {customers:,} customers with {LISTENS_KEPT} kept listens each, "
        f"batches of {BATCH}, Redis beside it, without Kafka's client"
    )
    figures = {"event_us": Figure(_us(taken, events), "µs", under)}
    figures |= {f"{step}_us": Figure(_us(seconds, events), "µs", under) for step, seconds in steps.items()}
    return figures | {"events_per_cpu_second": Figure(round(events / taken), "events/s", under)}


def _us(seconds: float, events: int) -> float:
    return round(seconds / events * 1e6, 2)


def _step_seconds(metrics: EnricherMetrics) -> dict[str, float]:
    name = "interlude_enricher_step_seconds_sum"
    return {step: metrics.registry.get_sample_value(name, {"step": step}) or 0.0 for step in STEPS}


def _batches(records: Sequence[Message]) -> Iterator[Sequence[Message]]:
    for start in range(0, len(records), BATCH):
        yield records[start : start + BATCH]


def _records(source: random.Random, count: int, customers: int) -> Iterator[Message]:
    """What live traffic brings: mostly listens, each newer than all before, of customers at random; one of each where there are as
    many customers."""
    for offset in range(1, count + 1):
        customer_id = offset - 1 if customers == count else source.randrange(customers)
        at_ms = _NOW_MS - (count - offset) * 10
        is_ad_event = source.random() < _AD_EVENTS_SHARE
        event = _ad_event(source, customer_id, at_ms) if is_ad_event else _listen(source, customer_id, at_ms)
        record = to_record(event, customer_id=customer_id, event_id=event.event_id, at_ms=at_ms, source=_SOURCE)
        yield Message(
            topic=Topic.AD_EVENTS.value if is_ad_event else Topic.LISTENS.value,
            partition=0,
            offset=offset,
            key=record.key,
            value=record.value,
            headers=list(record.headers),
            timestamp=(1, _NOW_MS),
        )


def _listen(source: random.Random, customer_id: int, at_ms: int) -> pb.Listen:
    return pb.Listen(
        event_id=f"{source.getrandbits(128):032x}",
        customer_id=customer_id,
        track_id=source.randrange(2_000),
        played_at_ms=at_ms,
        device=source.choice((pb.DEVICE_MOBILE, pb.DEVICE_PC)),
        postal_code="60601",
        utc_offset_minutes=-300,
    )


def _ad_event(source: random.Random, customer_id: int, at_ms: int) -> pb.AdEvent:
    return pb.AdEvent(
        event_id=f"{source.getrandbits(128):032x}/impression",
        customer_id=customer_id,
        kind=pb.AD_EVENT_KIND_IMPRESSION,
        at_ms=at_ms,
        decision_id=f"{source.getrandbits(128):032x}",
        campaign_id=source.choice(_CAMPAIGNS),
        channel=pb.CHANNEL_PLAYER,
    )


@contextmanager
def _redis() -> Iterator[tuple["redis.Redis", ConnectionPerThread]]:
    with tempfile.TemporaryDirectory() as directory:
        server = RedisServer(Path(directory) / "redis", Path(directory))
        try:
            server.process.start()
            server.process.wait_ready(server.ready, READY_TIMEOUT_S)
            with connect(server.url, timeout_ms=_TIMEOUT_MS, single_connection=True) as client:
                yield client, ConnectionPerThread(server.url, timeout_ms=_TIMEOUT_MS)
        finally:
            server.process.terminate()


def _fill(client: "redis.Redis", source: random.Random, customers: int) -> None:
    pipeline = client.pipeline(transaction=False)
    for customer_id in range(customers):
        state = _state(source)
        pipeline.set(state_key(customer_id), encode_state(state))
        pipeline.set(hot_key(customer_id), encode_hot(state))
        if customer_id % 500 == 499:
            pipeline.execute()


def _state(source: random.Random) -> ListenerState:
    """Somebody with as many listens as are kept, in sessions of some ten tracks, and a few ad events."""
    at_ms, times = _NOW_MS - 86_400_000, []
    for _ in range(LISTENS_KEPT):
        times.append(at_ms)
        at_ms -= _TRACK_MS if source.random() < 0.9 else source.randrange(86_400_000)
    times.reverse()
    ads = min(CONTACTS_KEPT, int(source.expovariate(1 / 8)))
    profile = Profile(1, Level.FREE, True, True, True, birth_year=1984, time_zone=source.choice(_ZONES))
    track_ids = [source.randrange(2_000) for _ in times]
    listens = Listens(
        _words(times),
        _words([source.getrandbits(64) for _ in times]),
        _words(track_ids),
        bytes(source.choice((0, 1, 2, 3, 4, 5, 6, 7)) for _ in times),
        len(set(track_ids)),
    )
    ad_events = AdEvents(
        _words(sorted(_NOW_MS - source.randrange(30 * 86_400_000) for _ in range(ads))),
        _words([source.getrandbits(64) for _ in range(ads)]),
        _words([hash_id(source.choice(_CAMPAIGNS)) for _ in range(ads)]),
        bytes(source.choice((1, 1, 1, 2, 3)) for _ in range(ads)),
    )
    return ListenerState((0, 0, 0, NOTHING_APPLIED), profile, listens, ad_events)


def _words(values: Sequence[int]) -> bytes:
    return struct.pack(f"<{len(values)}Q", *values)


if __name__ == "__main__":
    main()
