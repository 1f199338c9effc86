"""Everything that Redis keeps of a customer, by whichever service."""

import re
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Final, NamedTuple, cast

import redis
from redis.exceptions import RedisError

from interlude.servicekit.errors import Unavailable

FAMILIES: Final[dict[str, str]] = {
    "s": "state",
    "f": "features",
    "c": "contacts",
    "o": "campaigns that contact once",
    "r": "reported outcomes",
    "p": "profile for texts",
    "q": "texts, by request",
    "m": "texts, by the operator's id",
}
"""Letters that keys begin with, and what is kept there. All but the last carry the customer id in braces."""

ERASED_PROFILE_BYTES: Final = 8
"""`p:` of an erased customer: the time of the erasure alone."""

_AT_ONCE: Final = 1000
_CUSTOMER_KEY: Final = re.compile(rb"([sf])([1-9][0-9]*)?:\{([0-9]+)\}$|([corpq]):\{([0-9]+)\}")


class Trace(NamedTuple):
    """One key of a customer. `generation` is that of states and features, 0 for all others."""

    customer_id: int
    family: str
    generation: int
    key: bytes


def find_traces(client: "redis.Redis", customer_ids: Collection[int]) -> list[Trace]:
    """Their keys. Looks at every key of the database once, whatever the number of customers. Raises `Unavailable`."""
    wanted = frozenset(customer_ids)
    found: dict[bytes, Trace] = {}
    cursor = 0
    try:
        while True:
            cursor, scanned = client.scan(cursor, count=_AT_ONCE)
            keys = cast("list[bytes]", scanned)
            messages = [key for key in keys if key.startswith(b"m:")]
            for trace in (*map(_trace_of, keys), *_messages(client, messages)):
                if trace is not None and trace.customer_id in wanted:
                    found[trace.key] = trace
            if cursor == 0:
                return sorted(found.values())
    except RedisError as error:
        raise Unavailable(f"Redis does not answer: {type(error).__name__}") from error


def remove(client: "redis.Redis", traces: Iterable[Trace]) -> Counter[tuple[int, str]]:
    """Remove them; how many keys went by customer and family. Raises `Unavailable`."""
    removed: Counter[tuple[int, str]] = Counter()
    try:
        for trace in traces:
            removed[trace.customer_id, trace.family] += client.unlink(trace.key)
    except RedisError as error:
        raise Unavailable(f"Redis does not answer: {type(error).__name__}") from error
    return removed


def without_erased_profiles(client: "redis.Redis", traces: Iterable[Trace]) -> list[Trace]:
    """All but the profiles that say nothing but that the customer was erased, and must go on saying so. Raises `Unavailable`."""
    try:
        return [trace for trace in traces if trace.family != "p" or client.strlen(trace.key) != ERASED_PROFILE_BYTES]
    except RedisError as error:
        raise Unavailable(f"Redis does not answer: {type(error).__name__}") from error


def _trace_of(key: bytes) -> Trace | None:
    match = _CUSTOMER_KEY.match(key)
    if match is None:
        return None
    listener, generation, customer_id, other, others_id = match.groups()
    family = (listener or other).decode()
    return Trace(int(customer_id or others_id), family, int(generation or 0), key)


def _messages(client: "redis.Redis", keys: list[bytes]) -> list[Trace]:
    """Of the messages at `keys`, whose they are: their value begins with the customer id and a zero byte."""
    values = cast("list[bytes | None]", client.mget(keys)) if keys else []
    owners = [(key, (value or b"").partition(b"\0")[0]) for key, value in zip(keys, values, strict=True)]
    return [Trace(int(owner), "m", 0, key) for key, owner in owners if owner.isdigit()]
