"""How long an event takes from `produce()` to being readable in Redis, in a process of its own.

A few dedicated customers play a track at fixed times; each such listen is a probe, timed until `f:{id}` knows a listen as new
as it. Probes overlap, so a slow one hides nothing. Beside them, listens of other customers fill the topic up to the rate at
which freshness is promised.

    python -m demo.freshness SETTINGS.json
"""

import json
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from demo.percentiles import percentile
from demo.players import LINGER_MS, serving_deliveries
from demo.status import write_status
from interlude.events.topics import PARTITIONER, Topic
from interlude.events.writing import to_record
from interlude.features.codec import decode_hot, hot_key
from interlude.servicekit.lifecycle import stop_on_signals
from interlude.servicekit.producing import KafkaHeaders, RecordProducer
from interlude.servicekit.redis import connect
from interlude.v1 import events_pb2 as pb

SOURCE: Final = "demo-freshness"
PROBES_PER_SECOND: Final = 40.0
PROBED_CUSTOMERS: Final = 8
BYSTANDERS: Final = 1000
_FIRST_CUSTOMER: Final = 9_000_000_000
"""Ids of these customers begin here, far from those of the simulation and of the real logs."""

_LOOK_SECONDS: Final = 0.001
_IDLE_SECONDS: Final = 0.004
_LOST_AFTER_SECONDS: Final = 5.0
_FLUSH_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class FreshnessSettings:
    """What one run is told: addresses, how many listens a second beside the probes, and where it reports."""

    kafka: str
    redis: str
    background_rate: float
    report: str


class RecordSink(Protocol):
    """Where listens go: a `RecordProducer`."""

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: KafkaHeaders | None = None) -> bool: ...


FeatureReader = Callable[[Sequence[str]], Sequence[bytes | None]]
"""The values at keys of Redis, None where there is none."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A listen on its way. `produced` is a time of the monotonic clock, seconds."""

    customer_id: int
    played_at_ms: int
    produced: float


@dataclass(slots=True)
class FreshnessProbe:
    """Produces what is due and looks for what has arrived. `latencies_ms` has one value per probe that was seen.

    `bystanders` takes the listens that nobody watches: on a way of their own, they are gathered where probes go at once."""

    sink: RecordSink
    bystanders: RecordSink
    read_features: FeatureReader
    seconds: Callable[[], float]
    now_ms: Callable[[], int]
    outstanding: list[Probe] = field(default_factory=list)
    latencies_ms: list[float] = field(default_factory=list)
    probes: int = 0
    lost: int = 0
    produced: int = 0

    def send_probe(self) -> None:
        """One listen of the next dedicated customer."""
        customer_id = _FIRST_CUSTOMER + self.probes % PROBED_CUSTOMERS
        self.probes += 1
        played_at_ms = self.now_ms()
        began = self.seconds()
        self._send(self.sink, customer_id, played_at_ms)
        self.outstanding.append(Probe(customer_id, played_at_ms, began))

    def send_background(self) -> None:
        """One listen of somebody whom nobody watches."""
        customer_id = _FIRST_CUSTOMER + PROBED_CUSTOMERS + self.produced % BYSTANDERS
        self._send(self.bystanders, customer_id, self.now_ms())

    def open_connections(self) -> None:
        """One listen on each way, neither of them timed."""
        self._send(self.sink, _FIRST_CUSTOMER + PROBED_CUSTOMERS, self.now_ms())
        self.send_background()

    def look(self) -> None:
        """Read the features of those with probes on their way; those that arrived are measured."""
        keys = [hot_key(probe.customer_id) for probe in self.outstanding]
        values = self.read_features(keys) if keys else []
        seen = self.seconds()
        waiting = []
        for probe, value in zip(self.outstanding, values, strict=True):
            newest_ms = decode_hot(value).newest_listen_ms if value else None
            if newest_ms is not None and newest_ms >= probe.played_at_ms:
                self.latencies_ms.append((seen - probe.produced) * 1000)
            elif seen - probe.produced > _LOST_AFTER_SECONDS:
                self.lost += 1
            else:
                waiting.append(probe)
        self.outstanding = waiting

    def result(self) -> dict[str, Any]:
        """Percentiles in ms, probes seen and lost, and all listens produced."""
        measured = {
            name: percentile(self.latencies_ms, share)
            for name, share in (("p50_ms", 0.50), ("p99_ms", 0.99))
            if self.latencies_ms
        }
        return {"probes": len(self.latencies_ms), "lost": self.lost, "produced": self.produced, **measured}

    def _send(self, sink: RecordSink, customer_id: int, played_at_ms: int) -> None:
        self.produced += 1
        listen = pb.Listen(
            event_id=f"freshness/{customer_id}/{self.produced}/{played_at_ms}",
            customer_id=customer_id,
            track_id=self.produced,
            played_at_ms=played_at_ms,
            device=pb.DEVICE_PC,
            utc_offset_minutes=0,
        )
        record = to_record(listen, customer_id=customer_id, event_id=listen.event_id, at_ms=played_at_ms, source=SOURCE)
        sink.send(Topic.LISTENS, record.key, record.value, [*record.headers])


def run(probe: FreshnessProbe, background_rate: float, stop: threading.Event) -> None:
    """Probe at `PROBES_PER_SECOND` beside `background_rate` other listens a second until `stop`, then see the rest arrive."""
    begun, background_before = probe.seconds(), probe.produced - probe.probes
    while not stop.is_set() or probe.outstanding:
        elapsed = probe.seconds() - begun
        if not stop.is_set():
            while probe.produced - probe.probes - background_before < elapsed * background_rate:
                probe.send_background()
            while probe.probes < elapsed * PROBES_PER_SECOND:
                probe.send_probe()
        probe.look()
        # Looking often is for those who wait for something: the rest of the time belongs to what is measured.
        time.sleep(_LOOK_SECONDS if probe.outstanding else _IDLE_SECONDS)


def main() -> None:
    """Probes until SIGTERM; writes what there is when it begins, and the report at the end."""
    settings = FreshnessSettings(**json.loads(Path(sys.argv[1]).read_text()))
    stop = stop_on_signals()
    producer = RecordProducer(settings.kafka, client_id=SOURCE, partitioner=PARTITIONER)
    bystanders = RecordProducer(settings.kafka, client_id=SOURCE, partitioner=PARTITIONER, linger_ms=LINGER_MS)
    read = _reader(settings.redis)
    probe = FreshnessProbe(producer, bystanders, read, time.perf_counter, lambda: time.time_ns() // 1_000_000)
    # The first record opens connections; a player that has been on for a second has them.
    probe.open_connections()
    for one in (producer, bystanders):
        one.flush(_FLUSH_SECONDS)
    write_status(Path(settings.report), probe.result())
    with serving_deliveries(producer), serving_deliveries(bystanders):
        run(probe, settings.background_rate, stop)
    for one in (producer, bystanders):
        one.flush(_FLUSH_SECONDS)
    write_status(Path(settings.report), probe.result())


def _reader(redis_url: str) -> FeatureReader:
    client = connect(redis_url, timeout_ms=1000, single_connection=True)

    def read(keys: Sequence[str]) -> list[bytes | None]:
        return [value if isinstance(value, bytes) else None for value in client.mget(list(keys))]

    return read


if __name__ == "__main__":
    main()
