"""Forgets customers: in Redis now, in the log by a record that no replay overlooks."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol, cast

import redis
import structlog
from redis.exceptions import RedisError

from interlude.events.topics import COMPACTED, Topic
from interlude.events.writing import to_record
from interlude.features.codec import CorruptValue, decode_state, state_key
from interlude.features.generation import GENERATION_KEY, CorruptGeneration, decode_generation
from interlude.features.state import ListenerState
from interlude.servicekit.errors import Unavailable
from interlude.servicekit.producing import KafkaHeaders
from interlude.servicekit.topic_retention import Retention
from interlude.v1 import events_pb2 as pb
from services.enricher.claim import CLAIM_KEY
from services.enricher.receipts import Receipt
from services.enricher.traces import Trace, find_traces, remove, without_erased_profiles

SOURCE: Final = "interlude/enricher"
_LOOK_SECONDS: Final = 0.05
_FLUSH_SECONDS: Final = 10.0

log = structlog.get_logger()


class EraseFailed(Exception):
    """The sentence says what is done and what is not; the same command again is always right."""


class Sink(Protocol):
    """Where records go: a `RecordProducer`."""

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: KafkaHeaders | None = None) -> bool: ...

    def flush(self, timeout_seconds: float) -> None: ...


class Eraser:
    """Erases customers together. Raises `Unavailable`, `EraseFailed`."""

    def __init__(
        self,
        client: "redis.Redis",
        sink: Sink,
        topics: dict[str, Retention],
        stop: threading.Event,
        now_ms: Callable[[], int],
    ) -> None:
        self._client = client
        self._sink = sink
        self._topics = topics
        self._stop = stop
        self._now_ms = now_ms

    def erase(self, customer_ids: Sequence[int], wait_seconds: float) -> Receipt:
        """1. look what there is; 2. write the erasures, and tombstones into other topics that keep the newest record of a customer;
        3. wait until the enrichers have applied them; 4. remove every other key; 5. look again.

        The record comes first: whatever fails afterwards, it holds, and the command can be repeated.
        """
        found = find_traces(self._client, customer_ids)
        at_ms = self._now_ms()
        self._write(customer_ids, at_ms)
        states = self._await_applied(customer_ids, at_ms, wait_seconds)
        removed: Counter[tuple[int, str]] = Counter()
        removed += remove(self._client, self._removable(find_traces(self._client, customer_ids)))
        return Receipt(
            erased_at_ms=at_ms,
            customer_ids=tuple(customer_ids),
            found=Counter((trace.customer_id, trace.family) for trace in found),
            removed=removed,
            remaining=find_traces(self._client, customer_ids),
            later=[customer_id for customer_id, state in states.items() if _has_anything(state)],
            topics=self._topics,
        )

    def _write(self, customer_ids: Iterable[int], at_ms: int) -> None:
        for customer_id in customer_ids:
            erasure = pb.Customer(customer_id=customer_id, erased_at_ms=at_ms)
            event_id = f"erasure/{customer_id}/{at_ms}"
            record = to_record(erasure, customer_id=customer_id, event_id=event_id, at_ms=at_ms, source=SOURCE)
            self._send(Topic.CUSTOMERS, record.key, record.value, list(record.headers))
            for topic in self._keeping_newest():
                self._send(topic, record.key, None, [])
        self._sink.flush(_FLUSH_SECONDS)
        log.info("erasures written", customers=len(list(customer_ids)))

    def _send(self, topic: str, key: bytes, value: bytes | None, headers: KafkaHeaders) -> None:
        if not self._sink.send(topic, key, value, headers):
            self._sink.flush(_FLUSH_SECONDS)
            if not self._sink.send(topic, key, value, headers):
                raise Unavailable("the queue of records for Kafka is full")

    def _keeping_newest(self) -> list[str]:
        """Topics keyed by customer that were made compacted, though ours are not: a tombstone takes the newest record away."""
        by_customer = {topic.value for topic in Topic} - {topic.value for topic in COMPACTED}
        return [name for name, topic in self._topics.items() if name in by_customer and topic.is_compacted]

    def _await_applied(self, customer_ids: Sequence[int], at_ms: int, wait_seconds: float) -> dict[int, ListenerState]:
        deadline_seconds = time.monotonic() + wait_seconds
        while True:
            states = self._states(customer_ids)
            waiting = [customer_id for customer_id, state in states.items() if state.erased_at_ms < at_ms]
            if not waiting:
                return states
            if time.monotonic() > deadline_seconds or self._stop.is_set():
                raise EraseFailed(
                    f"the erasures are in Kafka and hold, but the enrichers have not applied {len(waiting)} of them within "
                    f"{wait_seconds:.0f} s; other keys in Redis are still there. Erase again once the enrichers run"
                )
            self._stop.wait(_LOOK_SECONDS)

    def _states(self, customer_ids: Sequence[int]) -> dict[int, ListenerState]:
        number = self._number()
        keys = [state_key(customer_id, number) for customer_id in customer_ids]
        try:
            values = cast("list[bytes | None]", self._client.mget(keys))
            return {customer_id: decode_state(value) for customer_id, value in zip(customer_ids, values, strict=True)}
        except (RedisError, CorruptValue) as error:
            raise Unavailable(f"Redis does not read: {type(error).__name__}") from error

    def _number(self) -> int:
        try:
            return decode_generation(cast("bytes | None", self._client.get(GENERATION_KEY))).number
        except (RedisError, CorruptGeneration) as error:
            raise Unavailable(f"Redis does not read: {type(error).__name__}") from error

    def _removable(self, traces: Iterable[Trace]) -> list[Trace]:
        """All but what has to say that the customer was erased: the state in use, the profile that is no more than that, and what a
        rebuild that is at work has made so far, into which it takes the erasure before it switches."""
        try:
            in_use, is_rebuilding = self._number(), bool(self._client.exists(CLAIM_KEY))
        except RedisError as error:
            raise Unavailable(f"Redis does not read: {type(error).__name__}") from error
        return [
            trace
            for trace in without_erased_profiles(self._client, traces)
            if not (trace.family == "s" and (trace.generation == in_use or is_rebuilding))
            and not (trace.family == "f" and trace.generation != in_use and is_rebuilding)
        ]


def _has_anything(state: ListenerState) -> bool:
    return bool(state.profile or state.listens.marks or state.ad_events.kinds)
