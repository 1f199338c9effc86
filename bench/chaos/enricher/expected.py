"""What Redis has to hold, worked out from Kafka alone: every record once, partition by partition; and how it differs."""

import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, cast

import redis

from interlude.events.conversion import read_event
from interlude.events.topics import Topic
from interlude.features.codec import decode_state, encode_hot, encode_state, hot_key, state_key
from interlude.features.state import ListenerState, log_position
from interlude.servicekit.topic_reading import read_topic
from interlude.v1 import events_pb2 as pb
from services.enricher.folding import Arrival, fold_arrivals
from services.enricher.handler import STREAMS
from services.enricher.outbox import to_event

_CUSTOMERS_AT_ONCE: Final = 1000


@dataclass(slots=True)
class Expected:
    """What undisturbed work ends in."""

    states: dict[int, ListenerState] = field(default_factory=dict)
    interests: set[str] = field(default_factory=set)
    """Ids."""
    records: int = 0


@dataclass(frozen=True, slots=True)
class Difference:
    """Between what is there and what is expected. All of it should be zero, but that interests may be in Kafka twice."""

    lost: int
    """Listens, ad events and profiles that are not in their state."""
    twice: int
    """Listens and ad events that are in their state more than once."""
    values: int
    """Values in Redis with other bytes, those included that should not be there at all."""
    interests_lost: int
    interests_repeated: int


def expect(bootstrap: str) -> Expected:
    """Fold all that is in Kafka, in one process that nothing happens to."""
    expected = Expected()
    for topic, stream in STREAMS.items():
        for record in read_topic(bootstrap, topic):
            arrived_ms = record.timestamp()[1]
            customer_id, event = read_event(stream, record.key(), record.value(), record.headers(), arrived_ms)
            position = log_position(record.partition() or 0, record.offset() or 0)
            arrival = Arrival(stream, position, arrived_ms, event)
            folded = fold_arrivals(expected.states.get(customer_id, ListenerState()), [arrival])
            expected.states[customer_id] = folded.state
            expected.interests.update(to_event(customer_id, found).interest_id for found in folded.interests)
            expected.records += 1
    return expected


def compare(expected: Expected, client: "redis.Redis", bootstrap: str) -> Difference:
    """What Redis and the topic of interests hold, against what is expected."""
    lost = twice = values = 0
    for customer_ids in _pieces(sorted(expected.states)):
        states = cast("list[bytes | None]", client.mget([state_key(customer_id) for customer_id in customer_ids]))
        hots = cast("list[bytes | None]", client.mget([hot_key(customer_id) for customer_id in customer_ids]))
        for customer_id, state, hot in zip(customer_ids, states, hots, strict=True):
            wanted = expected.states[customer_id]
            values += (state != encode_state(wanted)) + (hot != encode_hot(wanted))
            found = decode_state(state)
            lost += (_rows(wanted) - _rows(found)).total() + (wanted.profile is not None and found.profile is None)
            twice += sum(count - 1 for count in _rows(found).values())
    foreign = sum(1 for prefix in ("s", "f") for _ in client.scan_iter(f"{prefix}:*", count=5000))
    values += foreign - 2 * len(expected.states)
    told = Counter(
        pb.Interest.FromString(record.value() or b"").interest_id for record in read_topic(bootstrap, Topic.INTERESTS)
    )
    missing = len(expected.interests - set(told))
    return Difference(lost, twice, values, missing, told.total() - len(told))


def _rows(state: ListenerState) -> Counter[int]:
    """Hashes of the events that a state keeps."""
    columns = (state.listens.event_hash, state.ad_events.event_hash)
    return Counter(word for column in columns for word in struct.unpack(f"<{len(column) // 8}Q", column))


def _pieces(customer_ids: Sequence[int]) -> Iterator[list[int]]:
    remaining = iter(customer_ids)
    while piece := list(islice(remaining, _CUSTOMERS_AT_ONCE)):
        yield piece
