"""Commands and their answers with nothing but hiredis between us and the socket.

redis-py makes the connection: address, TLS, greeting, names of errors. Its own way of sending and reading takes as much processor
time again as the system's calls and hiredis do, and a decision does little else.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import hiredis
from redis.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse
from redis.exceptions import TimeoutError as RedisTimeoutError

RECEIVED_BYTES: Final = 64 * 1024
"""Read at once; the answers to a full batch have some 20 KB."""

_INCOMPLETE: Final = object()
_pack: Final[Callable[[Any], bytes]] = hiredis.pack_command

Argument = str | bytes | int
"""One word of a command."""


class RoundTrips(AbstractConnection):
    """To be put before one of redis-py's classes of connections, whichever the address asks for. For protocol 2, in which every
    word that Redis says is an answer."""

    _sock: Any
    _read_socket: Any = None
    """The socket whose bytes `_reader` holds."""
    _reader: Any = None

    def ask(self, commands: Sequence[Sequence[Argument]], timeout_seconds: float) -> list[Any]:
        """The answers to `commands`, a refused one's a `ResponseError` in its place; waits at most `timeout_seconds` for each.

        Connects where it is not connected, in that time too. After any failure it is closed, so that a late answer can never be
        taken for that of another command. Raises redis' ConnectionError, TimeoutError.
        """
        try:
            return self._exchange(b"".join([_pack(command) for command in commands]), len(commands), timeout_seconds)
        except TimeoutError as error:
            self.disconnect()
            raise RedisTimeoutError(f"no answer from {self._host_error()}") from error
        except OSError as error:
            self.disconnect()
            raise RedisConnectionError(f"lost {self._host_error()}: {error.strerror}") from error
        except BaseException:
            self.disconnect()
            raise

    def _exchange(self, packed: bytes, count: int, timeout_seconds: float) -> list[Any]:
        if self._sock is None:
            began = time.monotonic()
            self.connect()
            timeout_seconds -= time.monotonic() - began
            if timeout_seconds <= 0:
                raise TimeoutError
        socket = self._sock
        if socket is not self._read_socket:
            self._read_socket, self._reader = socket, self._new_reader()
        socket.settimeout(timeout_seconds)
        socket.sendall(packed)
        return [self._answer(socket, self._reader) for _ in range(count)]

    def _answer(self, socket: Any, reader: Any) -> Any:
        while (answer := reader.gets()) is _INCOMPLETE:
            received = socket.recv(RECEIVED_BYTES)
            if not received:
                raise RedisConnectionError(f"{self._host_error()} closed the connection")
            reader.feed(received)
        if isinstance(answer, RedisConnectionError):
            raise answer  # it is loading its data, or wants a password: nothing that comes next is an answer
        return answer

    def _new_reader(self) -> Any:
        return hiredis.Reader(
            protocolError=InvalidResponse, replyError=self._parser.parse_error, notEnoughData=_INCOMPLETE
        )
