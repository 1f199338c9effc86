"""What Spark's Python workers and its driver do with records: the enricher's own decode, fold and encode."""

import time
from collections.abc import Iterator
from typing import Final

import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]
import redis
from pyspark.sql import Row
from pyspark.sql.streaming.state import GroupState

from bench.freshness.listeners import known_listener
from interlude.events.conversion import read_event
from interlude.features.codec import decode_state, encode_hot, encode_state, hot_key
from interlude.features.fold import fold
from interlude.features.state import Event, ListenerState, Stream

STATEFUL_ROWS: Final = "customer_id long, hot binary"
STATE: Final = "state binary"
_STATELESS_ROWS: Final = pa.schema([("written", pa.int64())])


class FoldWithState:
    """Folds a batch's listens of one customer into the state that Spark keeps; gives the features."""

    def __init__(self, ends_ms: int) -> None:
        """Whom Spark does not know yet begins as the known listener whose history ends at `ends_ms`."""
        self._ends_ms = ends_ms

    def __call__(self, key: tuple[bytes], frames: Iterator[pd.DataFrame], group: GroupState) -> Iterator[pd.DataFrame]:
        customer_id = int(key[0])
        state = decode_state(bytes(group.get[0])) if group.exists else known_listener(customer_id, self._ends_ms)
        for frame in frames:
            for value in frame["value"]:
                state = fold(state, _listen(key[0], value)[1]).state
        group.update((encode_state(state),))
        yield pd.DataFrame({"customer_id": [customer_id], "hot": [encode_hot(state)]})


def write_rows(redis_url: str, key_prefix: str, rows: pa.Table) -> None:
    """Write the features of a batch in one round trip."""
    values = dict(zip(rows["customer_id"].to_pylist(), rows["hot"].to_pylist(), strict=True))
    if values:
        _client(redis_url).mset({key_prefix + hot_key(customer_id): hot for customer_id, hot in values.items()})


class WriteStateless:
    """Writes, for each listen of an Arrow batch, the features of a listener who has but that one."""

    def __init__(self, redis_url: str, key_prefix: str) -> None:
        self._redis_url = redis_url
        self._key_prefix = key_prefix

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            pairs = zip(batch.column("key").to_pylist(), batch.column("value").to_pylist(), strict=True)
            values = dict(_stateless(self._key_prefix, key, value) for key, value in pairs)
            if values:
                _client(self._redis_url).mset(values)
            yield pa.RecordBatch.from_arrays([pa.array([len(values)], pa.int64())], schema=_STATELESS_ROWS)


class WriteStatelessRow:
    """The same, row by row, as Spark's `foreach` wants it."""

    def __init__(self, redis_url: str, key_prefix: str) -> None:
        self._redis_url = redis_url
        self._key_prefix = key_prefix

    def open(self, _partition: int, _epoch: int) -> bool:
        """Nothing has to be prepared."""
        return True

    def process(self, row: Row) -> None:
        """Write one."""
        _client(self._redis_url).set(*_stateless(self._key_prefix, bytes(row["key"]), bytes(row["value"])))


_clients: dict[str, "redis.Redis"] = {}


def _client(url: str) -> "redis.Redis":
    """One connection for each process: clients do not travel to workers."""
    if url not in _clients:
        _clients[url] = redis.Redis.from_url(url, single_connection_client=True)
    return _clients[url]


def _listen(key: bytes, value: bytes) -> tuple[int, Event]:
    return read_event(Stream.LISTENS, bytes(key), bytes(value), None, time.time_ns() // 1_000_000)


def _stateless(key_prefix: str, key: bytes, value: bytes) -> tuple[str, bytes]:
    customer_id, event = _listen(key, value)
    return key_prefix + hot_key(customer_id), encode_hot(fold(ListenerState(), event).state)
