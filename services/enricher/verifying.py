"""Compares a generation that was made anew with the one in use, byte for byte, wherever both are at the same place in the log."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import redis
from redis.exceptions import RedisError

from interlude.features.codec import HEADER_BYTES, hot_key, state_key
from interlude.servicekit.errors import Unavailable

_AT_ONCE: Final = 500


@dataclass(slots=True)
class Comparison:
    """How many customers of the generation in use were compared, and how that went."""

    equal: int = 0
    different: int = 0
    """At the same offsets, with other bytes."""
    elsewhere: int = 0
    """At other offsets: events were applied between the two. Not compared."""
    missing: int = 0
    """In use, and not in the new one at all."""
    first_different: int | None = None
    """One of them, to look at."""


def compare(client: "redis.Redis", in_use: int, made: int, between: Callable[[], object]) -> Comparison:
    """All customers of generation `in_use` against generation `made`. `between` is called between steps. Raises `Unavailable`."""
    found = Comparison()
    prefix = state_key(0, in_use).partition("{")[0] + "{"
    cursor = 0
    try:
        while True:
            between()
            cursor, keys = client.scan(cursor, match=prefix + "*", count=_AT_ONCE)
            _compare(client, [int(key[len(prefix) : -1]) for key in keys], in_use, made, found)
            if cursor == 0:
                return found
    except RedisError as error:
        raise Unavailable(f"Redis does not answer: {type(error).__name__}") from error


def _compare(client: "redis.Redis", customers: Iterable[int], in_use: int, made: int, found: Comparison) -> None:
    for customer_id in customers:
        keys = [make(customer_id, number) for number in (in_use, made) for make in (state_key, hot_key)]
        old_state, old_hot, new_state, new_hot = client.mget(keys)
        if old_state is None:
            continue
        if new_state is None:
            found.missing += 1
        elif old_state[:HEADER_BYTES] != new_state[:HEADER_BYTES]:
            found.elsewhere += 1
        elif (old_state, old_hot) == (new_state, new_hot):
            found.equal += 1
        else:
            found.different += 1
            found.first_different = customer_id
