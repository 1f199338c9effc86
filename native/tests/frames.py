"""An HTTP/2 client that does what no library lets one do: each frame is sent by hand and read as it comes."""

import socket
import time
from typing import Final

DATA: Final = 0
HEADERS: Final = 1
RST_STREAM: Final = 3
SETTINGS: Final = 4
PING: Final = 6
GOAWAY: Final = 7
WINDOW_UPDATE: Final = 8
END_STREAM: Final = 1
END_HEADERS: Final = 4
PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

Frame = tuple[int, int, int, bytes]


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def headers(path: str, **more: str) -> bytes:
    """A header block of literals: no table, no compression."""
    fields = {
        ":method": "POST",
        ":scheme": "http",
        ":path": path,
        ":authority": "x",
        "content-type": "application/grpc",
        "te": "trailers",
    }
    fields |= {name.replace("_", "-"): value for name, value in more.items()}
    fields[":method"] = fields.pop("method", fields[":method"])
    pseudo_first = sorted(fields.items(), key=lambda field: not field[0].startswith(":"))
    return b"".join(
        b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
        for name, value in pseudo_first
    )


class Client:
    def __init__(self, address: str, settings: bytes = b"") -> None:
        host, port = address.split(":")
        self._socket = socket.create_connection((host, int(port)), timeout=10)
        self._received = b""
        self.send(PREFACE + frame(SETTINGS, 0, 0, settings) + frame(SETTINGS, 1, 0))

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def until(self, kind: int, before: int | None = None) -> Frame:
        """The next frame of a kind; what comes before it is passed over, but not `before`. Pings stay unanswered."""
        while True:
            found = self._next()
            if found[0] == kind:
                return found
            assert found[0] != before, found

    def closed_within(self, seconds: float) -> bool:
        """Reads on until the server closes the connection, or until time is up."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                if self._socket.recv(65536) == b"":
                    return True
            except TimeoutError:
                return False
            except ConnectionError:
                return True
        return False

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _next(self) -> Frame:
        head = self._read(9)
        payload = self._read(int.from_bytes(head[:3], "big"))
        return head[3], head[4], int.from_bytes(head[5:], "big"), payload

    def _read(self, size: int) -> bytes:
        while len(self._received) < size:
            data = self._socket.recv(65536)
            if data == b"":
                raise EOFError("the server has closed the connection")
            self._received += data
        data, self._received = self._received[:size], self._received[size:]
        return data
