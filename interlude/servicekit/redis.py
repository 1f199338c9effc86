"""Redis as our services use it: short timeouts, no hidden waiting."""

import threading
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import redis
import structlog
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

from interlude.servicekit.circuit_breaker import CircuitBreaker
from interlude.servicekit.round_trips import Argument, RoundTrips
from interlude.servicekit.telemetry import Health

_PING_SECONDS: Final = 0.5

log = structlog.get_logger()


def connect(url: str, *, timeout_ms: int, single_connection: bool = False) -> "redis.Redis":
    """A client that gives up after `timeout_ms`, and tries once more only where a kept connection turns out to be dead.

    With `single_connection` it holds one connection instead of borrowing from a pool for each command: less than a third of
    the CPU time, and for one thread only.
    """
    return _client(url, timeout_ms, protocol=3, single_connection_client=single_connection)


def _client(url: str, timeout_ms: int, **options: Any) -> "redis.Redis":
    timeout_seconds = timeout_ms / 1000
    # A socket in the file system has no network between its ends that could lose one of them.
    if not url.startswith("unix:"):
        options["socket_keepalive"] = True
    return redis.Redis.from_url(
        url,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=timeout_seconds,
        retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
        **options,
    )


class ConnectionPerThread:
    """One held connection for each thread that asks: a fifth of the CPU time of a pooled command, and a timeout per call."""

    def __init__(self, url: str, *, timeout_ms: int, breaker: CircuitBreaker | None = None) -> None:
        """With `breaker`, whatever one caller learns about Redis all others know: once it has failed, calls fail at once until the
        breaker is closed."""
        # In protocol 2 nothing has to be said before the first command, unless the address has a password or a database: a Redis
        # that is slow to answer would cost a timeout for each greeting.
        pool = _client(url, timeout_ms, protocol=2, driver_info=None).connection_pool
        pool.connection_class = type("HeldConnection", (RoundTrips, pool.connection_class), {})
        self._new_connection: Final = cast(Callable[[], RoundTrips], pool.make_connection)
        self.timeout_seconds: Final = timeout_ms / 1000
        self._breaker: Final = breaker
        self._local = threading.local()

    def call(self, *command: Argument, timeout_seconds: float | None = None) -> Any:
        """The answer to one command. Raises redis' ConnectionError, TimeoutError, ResponseError."""
        answer = self.call_all([command], timeout_seconds)[0]
        if isinstance(answer, ResponseError):
            raise answer
        return answer

    def call_all(self, commands: Sequence[Sequence[Argument]], timeout_seconds: float | None = None) -> list[Any]:
        """The answers to `commands` in one round trip, a refused one's a `ResponseError` in its place; waits at most
        `timeout_seconds` (never more than the setting) for each.

        A kept connection that turns out to be dead is replaced once. After any failure the connection is closed, so that a late
        answer can never be taken for that of another command. Raises redis' ConnectionError, TimeoutError.
        """
        timeout = self.timeout_seconds if timeout_seconds is None else min(self.timeout_seconds, timeout_seconds)
        breaker = self._breaker
        if breaker is None:
            return self._ask(commands, timeout)
        if breaker.is_open:
            raise RedisConnectionError("Redis failed a moment ago")
        try:
            return self._ask(commands, timeout)
        except RedisConnectionError:
            breaker.trip()
            raise
        except RedisTimeoutError:
            if (
                timeout >= self.timeout_seconds
            ):  # else it is the caller who was in a hurry, and who must not speak for all
                breaker.trip()
            raise

    def _ask(self, commands: Sequence[Sequence[Argument]], timeout: float) -> list[Any]:
        kept: RoundTrips | None = getattr(self._local, "connection", None)
        if kept is not None and kept.is_connected:
            try:
                return kept.ask(commands, timeout)
            except RedisConnectionError:
                pass  # tried again below
        connection = kept or self._new_connection()
        self._local.connection = connection
        # Connecting must not take longer than the answer may.
        connection.socket_connect_timeout = timeout
        connection.socket_timeout = timeout
        return connection.ask(commands, timeout)


def await_redis(client: "redis.Redis", stop: threading.Event, health: Health) -> None:
    """Return once Redis answers, or `stop` is set."""
    while not stop.is_set():
        health.beat()
        try:
            client.ping()
        except RedisError as error:
            health.unready("Redis")
            log.warning("waiting", reason=f"Redis does not answer: {type(error).__name__}")
            stop.wait(_PING_SECONDS)
        else:
            return
