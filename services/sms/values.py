"""Redis as this service asks it: many values in one round trip, and one answer while it is away."""

from collections.abc import Sequence
from typing import Any

import redis
from redis.client import Pipeline
from redis.exceptions import RedisError

from interlude.servicekit.errors import Unavailable


def read_values(client: "redis.Redis", keys: Sequence[str]) -> list[bytes | None]:
    """The value of every key, in order; None where there is none. Raises `Unavailable`."""
    if not keys:
        return []
    try:
        values: list[Any] = client.mget(keys)
    except RedisError as error:
        raise Unavailable(f"Redis does not read: {type(error).__name__}") from error
    return values


def execute(pipeline: Pipeline) -> list[Any]:
    """The answers to the commands in `pipeline`. Raises `Unavailable` when any of them failed."""
    try:
        return list(pipeline.execute())
    except RedisError as error:
        raise Unavailable(f"Redis does not write: {type(error).__name__}") from error
