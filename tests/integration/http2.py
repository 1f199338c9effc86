"""An HTTP/2 client that does what no gRPC library lets one do: each frame is sent by hand and read as it comes."""

import socket
from collections import defaultdict
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Self

from hpack import Decoder

DATA: Final = 0
HEADERS: Final = 1
RST_STREAM: Final = 3
SETTINGS: Final = 4
PING: Final = 6
GOAWAY: Final = 7
END_STREAM: Final = 1
END_HEADERS: Final = 4
ACK: Final = 1
PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
NO_WINDOW: Final = b"\0\x04\0\0\0\0"
"""Settings under which the server may send headers and no data: a reader that does not read."""

NO_CHANGES: Final[Mapping[str, str]] = MappingProxyType({})

_PATIENCE_S: Final = 10.0


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame as it stands on the wire."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def message(body: bytes, *, flag: int = 0) -> bytes:
    """A gRPC message: its flag and length before it."""
    return bytes([flag]) + len(body).to_bytes(4, "big") + body


def header_block(path: str, changes: Mapping[str, str] = NO_CHANGES) -> bytes:
    """The headers of a call as literals: no table, no compression. `changes` replace or add."""
    fields = {
        ":method": "POST",
        ":scheme": "http",
        ":path": path,
        ":authority": "x",
        "content-type": "application/grpc",
        "te": "trailers",
        **changes,
    }
    return b"".join(
        b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
        for name, value in fields.items()
    )


class Ended(Exception):
    """The server has closed the connection."""


class HandMadeClient:
    """One connection; responses are collected per stream."""

    def __init__(self, address: str, settings: bytes = b"") -> None:
        host, port = address.rsplit(":", 1)
        self._socket = socket.create_connection((host, int(port)), timeout=_PATIENCE_S)
        self._received = b""
        self._decoder = Decoder()
        self.headers: dict[int, dict[str, str]] = defaultdict(dict)
        self.send(PREFACE + frame(SETTINGS, 0, 0, settings))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Bytes as they are."""
        self._socket.sendall(data)

    def open(self, path: str, stream: int = 1, headers: Mapping[str, str] = NO_CHANGES) -> None:
        """The headers of a call."""
        self.send(frame(HEADERS, END_HEADERS, stream, header_block(path, headers)))

    def call(self, path: str, data: bytes, stream: int = 1, headers: Mapping[str, str] = NO_CHANGES) -> str:
        """How a call ends whose body is `data`; see `end`."""
        self.open(path, stream, headers)
        self.send(frame(DATA, END_STREAM, stream, data))
        return self.end(stream)

    def end(self, stream: int = 1) -> str:
        """Reads to the end of the stream: its `grpc-status`, "http" and the status where there is none, or "reset"."""
        while True:
            kind, flags, of_stream, _ = self.next_frame()
            if of_stream != stream:
                continue
            if kind == RST_STREAM:
                return self._status(stream) or "reset"
            if kind in {HEADERS, DATA} and flags & END_STREAM:
                headers = self.headers[stream]
                return self._status(stream) or f"http {headers[':status']}"

    def next_frame(self) -> tuple[int, int, int, bytes]:
        """Kind, flags, stream, payload. Headers are kept, pings and settings answered. Raises `Ended`."""
        head = self._read(9)
        kind, flags, stream = head[3], head[4], int.from_bytes(head[5:], "big")
        payload = self._read(int.from_bytes(head[:3], "big"))
        if kind in {PING, SETTINGS} and not flags & ACK:
            self.send(frame(kind, ACK, 0, payload if kind == PING else b""))
        if kind == HEADERS:
            self.headers[stream] |= {_text(name): _text(value) for name, value in self._decoder.decode(payload)}
        return kind, flags, stream, payload

    def _status(self, stream: int) -> str:
        return self.headers[stream].get("grpc-status", "")

    def _read(self, size: int) -> bytes:
        while len(self._received) < size:
            try:
                data = self._socket.recv(65536)
            except ConnectionError as error:
                raise Ended from error
            if not data:
                raise Ended
            self._received += data
        data, self._received = self._received[:size], self._received[size:]
        return data


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode()
