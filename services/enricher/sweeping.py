"""Removes the keys of generations that are not in use, a few at a time."""

import re
from collections.abc import Callable, Collection
from typing import Final, NamedTuple, cast

import redis
from redis.exceptions import RedisError

from interlude.servicekit.errors import Unavailable

_AT_ONCE: Final = 1000
_LISTENER_KEY: Final = re.compile(rb"([sf])([1-9][0-9]*)?:\{")


class Swept(NamedTuple):
    """What a sweep found: keys removed, and states of the generations that were kept."""

    removed: int
    states: int


def sweep(client: "redis.Redis", keep: Collection[int], between: Callable[[], object]) -> Swept:
    """Remove states and features of every generation but `keep`, looking at every key once. `between` is called between steps and
    ends the sweep by raising. Raises `Unavailable`."""
    removed = states = cursor = 0
    try:
        while True:
            between()
            cursor, keys = client.scan(cursor, count=_AT_ONCE)
            gone = []
            for key in cast("list[bytes]", keys):
                match = _LISTENER_KEY.match(key)
                if match is None:
                    continue
                if int(match[2] or 0) not in keep:
                    gone.append(key)
                elif match[1] == b"s":
                    states += 1
            if gone:
                removed += client.unlink(*gone)
            if cursor == 0:
                return Swept(removed, states)
    except RedisError as error:
        raise Unavailable(f"Redis does not answer: {type(error).__name__}") from error
