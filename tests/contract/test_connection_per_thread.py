"""The held connection on a real Redis: in time when Redis is not, and never one answer for another."""

import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlparse

import pytest
import redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from devstack.faulty_proxy import Fault, FaultyProxy, always
from devstack.stack import Part, Stack
from interlude.servicekit.circuit_breaker import CircuitBreaker
from interlude.servicekit.redis import ConnectionPerThread
from tests.contract.conftest import PATIENT_MS, paused

_SLACK_SECONDS = 1.5
"""What a busy machine may add to a timeout. Everything that would wait without one waits for `PATIENT_MS`, far longer."""

_SLOW_ECHO = "for _ = 1, 500000 do end return ARGV[1]"
"""Answers after a few milliseconds."""


def _seconds_until_timeout(connections: ConnectionPerThread, timeout_seconds: float | None = None) -> float:
    started = time.monotonic()
    with pytest.raises(RedisTimeoutError):
        connections.call("PING", timeout_seconds=timeout_seconds)
    return time.monotonic() - started


def test_a_command_is_answered(redis_stack: Stack, client: "redis.Redis") -> None:
    client.set("key", b"\x00\xff")
    connections = ConnectionPerThread(redis_stack.redis, timeout_ms=PATIENT_MS)
    assert connections.call("MGET", "key", b"none") == [b"\x00\xff", None]


def test_a_paused_redis_costs_the_timeout_and_no_more(redis_stack: Stack) -> None:
    connections = ConnectionPerThread(redis_stack.redis, timeout_ms=100)
    connections.call("PING")
    with paused(redis_stack):
        assert 0.1 <= _seconds_until_timeout(connections) < 0.1 + _SLACK_SECONDS
        assert _seconds_until_timeout(connections) < 0.1 + _SLACK_SECONDS  # on a connection that has to be made first
    assert connections.call("PING") == b"PONG"


def test_a_call_may_wait_less_than_the_setting(redis_stack: Stack) -> None:
    connections = ConnectionPerThread(redis_stack.redis, timeout_ms=PATIENT_MS)
    with paused(redis_stack):
        assert _seconds_until_timeout(connections, 0.05) < 0.05 + _SLACK_SECONDS  # not connected yet
    connections.call("PING")
    with paused(redis_stack):
        assert _seconds_until_timeout(connections, 0.05) < 0.05 + _SLACK_SECONDS


def test_a_call_may_not_wait_longer_than_the_setting(redis_stack: Stack) -> None:
    connections = ConnectionPerThread(redis_stack.redis, timeout_ms=50)
    connections.call("PING")
    with paused(redis_stack):
        assert _seconds_until_timeout(connections, 60.0) < 0.05 + _SLACK_SECONDS


def test_a_late_answer_is_never_taken_for_that_of_another_command(redis_stack: Stack) -> None:
    source = random.Random(1)
    connections = ConnectionPerThread(redis_stack.redis, timeout_ms=PATIENT_MS)
    outcomes: Counter[str] = Counter()
    for number in range(1000):
        word = b"%d:%d" % (number, source.randrange(10**9))
        command, hurry = _random_command(word, source)
        try:
            answer = connections.call(*command, timeout_seconds=hurry)
        except RedisTimeoutError:
            outcomes["given up"] += 1
        except ResponseError as error:
            outcomes["error" if word.decode() in str(error) else "another's error"] += 1
        else:
            outcomes["answer" if answer == word else "another's answer"] += 1
    assert set(outcomes) == {"answer", "error", "given up"}
    assert min(outcomes.values()) > 20


def _random_command(word: bytes, source: random.Random) -> tuple[tuple[str | bytes | int, ...], float | None]:
    """A command whose answer is `word` or an error about it, at once or later than its caller waits."""
    kind = source.random()
    if kind < 0.1:
        return ("EVAL", _SLOW_ECHO, 0, word), source.choice((0.001, 0.001, None))
    if kind < 0.3:
        return ("EVAL", "return redis.error_reply('ERR ' .. ARGV[1])", 0, word), None
    return ("ECHO", word), source.choice((0.001, None))


def test_an_error_that_redis_answers_keeps_the_connection(redis_stack: Stack) -> None:
    connections = ConnectionPerThread(redis_stack.redis, timeout_ms=PATIENT_MS)
    before = connections.call("CLIENT", "ID")
    with pytest.raises(ResponseError):
        connections.call("NOT-A-COMMAND")
    assert connections.call("CLIENT", "ID") == before


def test_making_a_connection_is_part_of_the_time(redis_stack: Stack) -> None:
    """A greeting, here for a database, and an answer that are both in time make one that is not."""
    slow_ms, timeout_ms = 300, 500
    with FaultyProxy(f"{redis_stack.redis.rpartition('/')[0]}/1", slow_seconds=slow_ms / 1000) as proxy:
        proxy.choice = always(Fault.SLOW)
        connections = ConnectionPerThread(proxy.url, timeout_ms=timeout_ms)
        assert _seconds_until_timeout(connections) < timeout_ms / 1000 + _SLACK_SECONDS
        proxy.choice = always(Fault.NONE)
        assert connections.call("PING") == b"PONG"


def test_nothing_is_said_before_the_first_command(redis_stack: Stack) -> None:
    slow_ms, timeout_ms = 300, 500
    with FaultyProxy(redis_stack.redis, slow_seconds=slow_ms / 1000) as proxy:
        proxy.choice = always(Fault.SLOW)
        assert ConnectionPerThread(proxy.url, timeout_ms=timeout_ms).call("PING") == b"PONG"


def test_after_a_failure_redis_is_left_alone_for_a_moment(redis_stack: Stack) -> None:
    seconds = [0.0]
    breaker = CircuitBreaker(0.1, now_seconds=lambda: seconds[0])
    connections = ConnectionPerThread(redis_stack.redis, timeout_ms=100, breaker=breaker)
    connections.call("PING")
    with paused(redis_stack):
        _seconds_until_timeout(connections)
    seconds[0] = 0.099
    with pytest.raises(RedisConnectionError, match="a moment ago"):
        connections.call("PING")
    seconds[0] = 0.1
    assert connections.call("PING") == b"PONG"


def test_a_redis_that_refuses_a_command_has_not_failed(redis_stack: Stack) -> None:
    breaker = CircuitBreaker(60)
    connections = ConnectionPerThread(redis_stack.redis, timeout_ms=PATIENT_MS, breaker=breaker)
    with pytest.raises(ResponseError):
        connections.call("NOT-A-COMMAND")
    assert not breaker.is_open


def test_a_redis_that_cannot_be_reached_opens_the_breaker() -> None:
    breaker = CircuitBreaker(60)
    with pytest.raises(RedisError):
        ConnectionPerThread("redis://127.0.0.1:1/0", timeout_ms=50, breaker=breaker).call("PING")
    assert breaker.is_open


def test_redis_is_reached_by_a_socket_in_the_file_system(redis_stack: Stack, tmp_path: Path) -> None:
    address = urlparse(redis_stack.redis)
    with _relayed(tmp_path / "redis.sock", (str(address.hostname), address.port or 0)) as path:
        connections = ConnectionPerThread(f"unix://{path}", timeout_ms=PATIENT_MS)
        long = b"x" * 300_000
        assert connections.call_all([("ECHO", long), ("ECHO", b"short")]) == [long, b"short"]


@contextmanager
def _relayed(path: Path, to: tuple[str, int]) -> Iterator[Path]:
    """A Unix socket whose one connection leads to the address `to`."""

    def copy(source: socket.socket, sink: socket.socket) -> None:
        with source, sink:
            while data := source.recv(4096):
                sink.sendall(data)

    def accept() -> None:
        inside, outside = listener.accept()[0], socket.create_connection(to)
        for ends in ((inside.dup(), outside.dup()), (outside, inside)):
            threading.Thread(target=copy, args=ends, daemon=True).start()

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(1)
        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        yield path
        accepting.join(10)


def test_each_thread_has_a_connection_of_its_own(redis_stack: Stack) -> None:
    connections = ConnectionPerThread(redis_stack.redis, timeout_ms=PATIENT_MS)
    ids = [connections.call("CLIENT", "ID")]
    thread = threading.Thread(target=lambda: ids.append(connections.call("CLIENT", "ID")))
    thread.start()
    thread.join()
    assert len(set(ids)) == 2
    assert connections.call("CLIENT", "ID") == ids[0]


def test_a_restarted_redis_answers_the_first_call() -> None:
    with Stack.start({Part.REDIS}) as own:
        connections = ConnectionPerThread(own.redis, timeout_ms=PATIENT_MS)
        assert connections.call("PING") == b"PONG"
        own.restart(Part.REDIS)
        assert connections.call("PING") == b"PONG"


def test_a_redis_that_is_gone_is_an_error_until_it_is_back() -> None:
    with Stack.start({Part.REDIS}) as own:
        connections = ConnectionPerThread(own.redis, timeout_ms=PATIENT_MS)
        connections.call("PING")
        own.kill(Part.REDIS)
        for _ in range(2):
            with pytest.raises((RedisConnectionError, RedisTimeoutError)):
                connections.call("PING")
        own.restart(Part.REDIS)
        assert connections.call("PING") == b"PONG"


def test_a_redis_that_cannot_be_reached_is_one_kind_of_error() -> None:
    connections = ConnectionPerThread("redis://127.0.0.1:1/0", timeout_ms=50)
    with pytest.raises(RedisError):
        connections.call("PING")
