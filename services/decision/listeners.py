"""What Redis knows of listeners: features and contacts, read together."""

import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from interlude.contacts.ledger import CONTACT_BYTES, contacts_key
from interlude.features.codec import CorruptValue, HotFeatures, decode_hot, hot_key
from interlude.servicekit.redis import ConnectionPerThread

OPEN_SECONDS: Final = 0.1
"""After a failure Redis is left alone for this long: waiting for it in every call would make all of them late."""


class Listener(NamedTuple):
    """One customer as Redis knows them: the values of `f:{id}` and `c:{id}`, empty where there is none, and what the first says.
    `features` is None for an unknown customer, and for a value that does not decode."""

    features: HotFeatures | None
    value: bytes
    contacts: bytes


class ListenersUnavailable(Exception):
    """Redis did not answer in time, or failed a moment ago."""


class RedisListeners:
    """Reads listeners with one command per batch. Safe between threads."""

    def __init__(
        self,
        connections: ConnectionPerThread,
        on_corrupt: Callable[[], None],
        now_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        """`on_corrupt` is called for values that do not decode: features of a listener who then counts as unknown, or contacts,
        which then count as none until the reservation reads them again."""
        self._connections = connections
        self._on_corrupt = on_corrupt
        self._now_seconds = now_seconds
        self._closed_until_seconds = 0.0

    @property
    def patience_seconds(self) -> float:
        """The longest that a read takes, whatever timeout it is given."""
        return self._connections.timeout_seconds

    def read(self, customer_ids: Sequence[int], timeout_seconds: float) -> list[Listener]:
        """One `Listener` per id, in order. Raises `ListenersUnavailable`, in no more than `timeout_seconds`."""
        if self._now_seconds() < self._closed_until_seconds:
            raise ListenersUnavailable("Redis failed a moment ago")
        keys = [hot_key(customer_id) for customer_id in customer_ids]
        keys += [contacts_key(customer_id) for customer_id in customer_ids]
        try:
            values = self._connections.call("MGET", *keys, timeout_seconds=timeout_seconds)
        except RedisError as error:
            if not self._was_in_a_hurry(error, timeout_seconds):
                self._closed_until_seconds = self._now_seconds() + OPEN_SECONDS
            raise ListenersUnavailable(type(error).__name__) from error
        count = len(customer_ids)
        return [
            Listener(
                None if value is None else self._features(value),
                value or b"",
                self._contacts(contacts) if contacts else b"",
            )
            for value, contacts in zip(values[:count], values[count:], strict=True)
        ]

    def _features(self, value: bytes) -> HotFeatures | None:
        try:
            return decode_hot(value)
        except CorruptValue:
            self._on_corrupt()
            return None

    def _contacts(self, value: bytes) -> bytes:
        if len(value) % CONTACT_BYTES:
            self._on_corrupt()
        return value

    def _was_in_a_hurry(self, error: RedisError, timeout_seconds: float) -> bool:
        """Whether the caller gave up before Redis could be called slow: one impatient caller must not speak for all."""
        return isinstance(error, RedisTimeoutError) and timeout_seconds < self._connections.timeout_seconds
