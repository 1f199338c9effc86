"""Which keys of Redis have just been written, told by Redis itself: nobody polls, so nobody is disturbed."""

import select
import socket
from typing import Final, Self
from urllib.parse import urlsplit

import hiredis
import redis

_READ_BYTES: Final = 1 << 16
_SUBSCRIBED_SECONDS: Final = 5.0


class KeyNotifications:
    """A subscription to writes of keys that begin with a prefix. redis-py would take longer to unpack a message than Redis to
    send it."""

    def __init__(self, url: str, prefix: str) -> None:
        """Turns notifications of string commands on. Raises TimeoutError when Redis does not confirm the subscription."""
        with redis.Redis.from_url(url) as client:
            client.config_set("notify-keyspace-events", "K$")
        place = urlsplit(url)
        channels = f"__keyspace@{place.path.strip('/') or 0}__:"
        self._skipped: Final = len(channels)
        self._reader: Final = hiredis.Reader()
        self._socket: Final = socket.create_connection((place.hostname, place.port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(f"PSUBSCRIBE {channels}{prefix}*\r\n".encode())
        if not self._receive(_SUBSCRIBED_SECONDS):
            raise TimeoutError("Redis did not confirm the subscription")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def wait(self, timeout_seconds: float) -> set[bytes]:
        """The keys written since the last call, at most some hundreds at once; none when nothing happens for so long."""
        return {message[2][self._skipped :] for message in self._receive(timeout_seconds) if message[0] == b"pmessage"}

    def _receive(self, timeout_seconds: float) -> list[list[bytes]]:
        if not select.select([self._socket], [], [], timeout_seconds)[0]:
            return []
        self._reader.feed(self._socket.recv(_READ_BYTES))
        messages = []
        while (message := self._reader.gets()) is not False:
            messages.append(message)
        return messages
