"""Redis as our services use it: short timeouts, no hidden waiting."""

import threading
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import redis
import structlog
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

from interlude.servicekit.round_trips import Argument, RoundTrips
from interlude.servicekit.telemetry import Health

_PING_SECONDS: Final = 0.5

log = structlog.get_logger()


def connect(url: str, *, timeout_ms: int, single_connection: bool = False) -> "redis.Redis":
    """A client that gives up after `timeout_ms`, and tries once more only where a kept connection turns out to be dead.

    With `single_connection` it holds one connection instead of borrowing from a pool for each command: less than a third of
    the CPU time, and for one thread only.
    """
    timeout_seconds = timeout_ms / 1000
    # A socket in the file system has no network between its ends that could lose one of them.
    options = {} if url.startswith("unix:") else {"socket_keepalive": True}
    return redis.Redis.from_url(
        url,
        protocol=3,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=timeout_seconds,
        single_connection_client=single_connection,
        retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
        **options,
    )


class ConnectionPerThread:
    """One held connection for each thread that asks: a fifth of the CPU time of a pooled command, and a timeout per call."""

    def __init__(self, url: str, *, timeout_ms: int) -> None:
        pool = connect(url, timeout_ms=timeout_ms).connection_pool
        pool.connection_class = type("HeldConnection", (RoundTrips, pool.connection_class), {})
        self._new_connection: Final = cast(Callable[[], RoundTrips], pool.make_connection)
        self.timeout_seconds: Final = timeout_ms / 1000
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
