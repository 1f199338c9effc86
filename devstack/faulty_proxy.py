"""A TCP proxy that can be told to be slow, to reset connections, or to swallow whatever it is sent."""

import random
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from enum import Enum, auto
from typing import Final, Self
from urllib.parse import urlsplit

from devstack.ports import LOOPBACK

_CHUNK_BYTES: Final = 65536
_RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER of no time: closing sends a reset."""


class Fault(Enum):
    """What happens to a piece of data."""

    NONE = auto()
    SLOW = auto()
    RESET = auto()
    SWALLOWED = auto()


Choice = Callable[[], Fault]


def always(fault: Fault) -> Choice:
    """Every piece of data meets the same fate."""
    return lambda: fault


def now_and_then(seed: int, slow: float, reset: float) -> Choice:
    """These shares of the pieces are delayed and end their connection."""
    source = random.Random(seed)

    def choose() -> Fault:
        drawn = source.random()
        if drawn < reset:
            return Fault.RESET
        return Fault.SLOW if drawn < reset + slow else Fault.NONE

    return choose


class FaultyProxy:
    """Listens on a port of its own and passes on to the server of a URL, as `choice` says for each piece that comes back."""

    def __init__(self, url: str, *, slow_seconds: float = 0.02) -> None:
        """`url` has host and port."""
        self.choice: Choice = always(Fault.NONE)
        self.watch: Callable[[bytes], None] = lambda _data: None
        """Sees each piece that comes back, and holds it up for as long as it takes."""
        target = urlsplit(url)
        self._target = (str(target.hostname), target.port or 0)
        self._slow_seconds = slow_seconds
        self._never = threading.Event()
        self._listener = socket.create_server((LOOPBACK, 0))
        self.url: Final[str] = target._replace(netloc=f"{LOOPBACK}:{self._listener.getsockname()[1]}").geturl()
        """The same as the server's, but by way of the proxy."""
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join()
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join()
        for each in self._sockets:
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._connect(client)

    def _connect(self, client: socket.socket) -> None:
        self._sockets.append(client)
        try:
            server = socket.create_connection(self._target)
        except OSError:
            _reset(client)
            return
        self._sockets.append(server)
        for each in (client, server):
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for thread in (
            threading.Thread(target=self._pump, args=(client, server, always(Fault.NONE), _ignore), daemon=True),
            threading.Thread(target=self._pump, args=(server, client, self._chosen, self._watched), daemon=True),
        ):
            self._threads.append(thread)
            thread.start()

    def _chosen(self) -> Fault:
        """What the choice of this moment says: it may have changed since the connection was made."""
        return self.choice()

    def _watched(self, data: bytes) -> None:
        self.watch(data)

    def _pump(self, source: socket.socket, sink: socket.socket, choice: Choice, watch: Callable[[bytes], None]) -> None:
        with suppress(OSError):
            while data := source.recv(_CHUNK_BYTES):
                watch(data)
                fault = choice()
                if fault is Fault.RESET:
                    _reset(sink)
                    break
                if fault is Fault.SLOW:
                    self._never.wait(self._slow_seconds)
                if fault is not Fault.SWALLOWED:
                    sink.sendall(data)
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


def _ignore(_data: bytes) -> None:
    """What goes there is not looked at."""


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    connection.close()
