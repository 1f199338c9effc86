"""What Redis knows of listeners: features and contacts, read together."""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from redis.exceptions import RedisError

from interlude.contacts.ledger import CONTACT_BYTES, contacts_key
from interlude.features.codec import CorruptValue, HotFeatures, decode_hot, hot_key
from interlude.features.generation import GENERATION_KEY, CorruptGeneration, decode_generation
from interlude.servicekit.redis import ConnectionPerThread


class Listener(NamedTuple):
    """One customer as Redis knows them: the values of `f:{id}` and `c:{id}`, empty where there is none, and what the first says.
    `features` is None for an unknown customer, and for a value that does not decode."""

    features: HotFeatures | None
    value: bytes
    contacts: bytes


class ListenersUnavailable(Exception):
    """Redis did not answer in time, or failed a moment ago."""


class _Known(NamedTuple):
    """A document under `generation`, and the number in it."""

    document: bytes | None = None
    number: int = 0


class RedisListeners:
    """Reads listeners with one command per batch; with two where another generation of features has come into use since the last
    one. Safe between threads."""

    def __init__(
        self,
        connections: ConnectionPerThread,
        on_corrupt: Callable[[], None],
        now_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        """`on_corrupt` is called for values that do not decode: features of a listener who then counts as unknown, contacts,
        which then count as none until the reservation reads them again, or the generation, which then stays the one known."""
        self._connections = connections
        self._on_corrupt = on_corrupt
        self._now_seconds = now_seconds
        self._known = _Known()

    @property
    def patience_seconds(self) -> float:
        """The longest that a read takes, whatever timeout it is given."""
        return self._connections.timeout_seconds

    def read(self, customer_ids: Sequence[int], timeout_seconds: float) -> list[Listener]:
        """One `Listener` per id, in order. Raises `ListenersUnavailable`, in no more than `timeout_seconds`."""
        deadline_seconds = self._now_seconds() + timeout_seconds
        known = self._known
        values = self._ask(customer_ids, known.number, timeout_seconds)
        if values[0] != known.document:
            self._known = self._generation(values[0], known)
            if self._known.number != known.number:
                left_seconds = deadline_seconds - self._now_seconds()
                if left_seconds <= 0:
                    raise ListenersUnavailable("no time is left to read the generation in use")
                values = self._ask(customer_ids, self._known.number, left_seconds)
        count = len(customer_ids)
        return [
            Listener(
                None if value is None else self._features(value),
                value or b"",
                self._contacts(contacts) if contacts else b"",
            )
            for value, contacts in zip(values[1 : count + 1], values[count + 1 :], strict=True)
        ]

    def _ask(self, customer_ids: Sequence[int], generation: int, timeout_seconds: float) -> list[bytes | None]:
        """The generation in use, the features in `generation`, then the contacts."""
        keys = [GENERATION_KEY]
        keys += [hot_key(customer_id, generation) for customer_id in customer_ids]
        keys += [contacts_key(customer_id) for customer_id in customer_ids]
        try:
            values: list[bytes | None] = self._connections.call("MGET", *keys, timeout_seconds=timeout_seconds)
        except RedisError as error:
            raise ListenersUnavailable(str(error)) from error
        return values

    def _generation(self, document: bytes | None, known: _Known) -> _Known:
        try:
            return _Known(document, decode_generation(document).number)
        except CorruptGeneration:
            self._on_corrupt()
            return _Known(document, known.number)

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
