"""Listener states in Redis: read together, written together, each only if nobody wrote it in between."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from itertools import islice
from typing import Final, NamedTuple, NoReturn, Protocol, cast

from redis.exceptions import NoScriptError, RedisError

from interlude.features.codec import (
    HEADER_BYTES,
    decode_state,
    encode_header,
    encode_hot,
    encode_state,
    hot_key,
    state_key,
)
from interlude.features.state import NEVER_ERASED, NO_OFFSETS, ListenerState
from interlude.servicekit.errors import Unavailable
from interlude.servicekit.redis import ConnectionPerThread
from interlude.servicekit.round_trips import Argument

_WRITE: Final = files("services.enricher").joinpath("write_states.lua").read_text()
_CUSTOMERS_PER_CALL: Final = 250
"""Redis answers nobody else meanwhile; this many writes take it about a millisecond, so many reads a third of that."""


class Fence(Protocol):
    """On what condition states are written, and under which keys."""

    @property
    def number(self) -> int:
        """The generation."""

    @property
    def key(self) -> str:
        """A key of Redis that must still hold `value`."""

    @property
    def value(self) -> bytes:
        """Empty: the key must not exist."""

    def broken(self) -> NoReturn:
        """It holds something else: nothing was written. Raises what is to become of the batch."""


class Change(NamedTuple):
    """A state as it was read, and as it is to be."""

    before: ListenerState
    after: ListenerState


class StateStore:
    """States by customer. Raises `Unavailable` while Redis does not answer, `CorruptValue` for bytes that are not ours, and what
    the `fence` raises where it is broken."""

    def __init__(self, redis: ConnectionPerThread, fence: Fence) -> None:
        self._redis = redis
        self._fence = fence
        self._sha = b""

    def read(self, customer_ids: Sequence[int]) -> dict[int, ListenerState]:
        """The state of every customer; the empty state where there is none."""
        number = self._fence.number
        states: dict[int, ListenerState] = {}
        remaining = iter(customer_ids)
        try:
            while chunk := list(islice(remaining, _CUSTOMERS_PER_CALL)):
                values = self._redis.call("MGET", *(state_key(customer_id, number) for customer_id in chunk))
                for customer_id, value in zip(chunk, values, strict=True):
                    states[customer_id] = decode_state(value)
        except RedisError as error:
            raise Unavailable(f"Redis does not read: {type(error).__name__}") from error
        return states

    def write(self, changes: Mapping[int, Change]) -> list[int]:
        """Write state and features of every customer whose state is still what was read. Returns the others."""
        refused: list[int] = []
        remaining = iter(changes.items())
        try:
            while chunk := list(islice(remaining, _CUSTOMERS_PER_CALL)):
                refused += [chunk[place - 1][0] for place in self._write(chunk)]
        except RedisError as error:
            raise Unavailable(f"Redis does not write: {type(error).__name__}") from error
        return refused

    def _write(self, chunk: Sequence[tuple[int, Change]]) -> list[int]:
        number = self._fence.number
        keys = [self._fence.key]
        arguments: list[Argument] = [self._fence.value, HEADER_BYTES]
        for customer_id, (before, after) in chunk:
            keys += (state_key(customer_id, number), hot_key(customer_id, number))
            arguments += (_expected(before), encode_state(after), _hot(after))
        try:
            places = self._redis.call("EVALSHA", self._sha or self._load(), len(keys), *keys, *arguments)
        except NoScriptError:
            places = self._redis.call("EVALSHA", self._load(), len(keys), *keys, *arguments)
        if places is None:
            self._fence.broken()
        return list(places)

    def _load(self) -> bytes:
        self._sha = cast(bytes, self._redis.call("SCRIPT", "LOAD", _WRITE))
        return self._sha


def _expected(before: ListenerState) -> bytes:
    """The header that Redis must still hold; empty where nothing was stored."""
    return b"" if before.offsets == NO_OFFSETS else encode_header(before)


def _hot(after: ListenerState) -> bytes:
    """The features; empty, hence none, of a customer of whom nothing is known but that they were erased."""
    is_erased = after.erased_at_ms != NEVER_ERASED
    return (
        b""
        if is_erased and after == ListenerState(after.offsets, erased_at_ms=after.erased_at_ms)
        else encode_hot(after)
    )
