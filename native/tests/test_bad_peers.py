"""What a peer may do that no gRPC library would: the server answers as the protocol says, and serves on."""

import random
import socket
import time

import pytest
from conftest import ECHO, Run, Running
from frames import DATA, END_HEADERS, END_STREAM, HEADERS, PREFACE, RST_STREAM, SETTINGS, Client, frame, headers

HUFFMAN_415 = bytes.fromhex("682dff")
HUFFMAN_405 = bytes.fromhex("680dff")


def still_serves(front: Running) -> None:
    assert front.say(b"still here") == b"still here"


def raw(address: str, data: bytes) -> socket.socket:
    host, port = address.split(":")
    connection = socket.create_connection((host, int(port)), timeout=5)
    connection.sendall(data)
    return connection


def hung_up(connection: socket.socket) -> bool:
    """Reads to the end, polite or not; a timeout is raised."""
    try:
        while connection.recv(1000):
            pass
    except ConnectionError:
        pass
    return True


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"content_type": "application/json"}, HUFFMAN_415),
        ({"content_type": "application/grpc-web"}, HUFFMAN_415),
        ({"method": "GET"}, HUFFMAN_405),
    ],
)
def test_what_is_no_grpc_gets_an_http_status(run: Run, more: dict[str, str], status: bytes) -> None:
    front = run()
    with Client(front.address) as client:
        client.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, headers(ECHO, **more)))
        assert status in client.until(HEADERS)[3]
    still_serves(front)


def test_a_unary_call_by_hand(run: Run) -> None:
    with Client(run().address) as client:
        client.send(frame(HEADERS, END_HEADERS, 1, headers(ECHO)))
        client.send(
            b"".join(frame(DATA, 0, 1, bytes([byte])) for byte in b"\0\0\0\0\x02hi") + frame(DATA, END_STREAM, 1)
        )
        assert client.until(DATA)[3] == b"\0\0\0\0\x02hi"
        assert client.until(HEADERS)[1] & END_STREAM


@pytest.mark.parametrize("body", [b"", b"\0\0", b"\0\0\0\0\x09abc", b"\x01\0\0\0\x01a", b"\x09\0\0\0\x01a"])
def test_a_body_that_is_no_message_never_reaches_python(run: Run, body: bytes) -> None:
    front = run()
    with Client(front.address) as client:
        client.send(frame(HEADERS, END_HEADERS, 1, headers(ECHO)) + frame(DATA, END_STREAM, 1, body))
        assert client.until(HEADERS)[1] & END_STREAM
    assert front.calls == []
    assert front.front.counters()["refused_message"] == 1


def test_an_unreadable_timeout_is_refused(run: Run) -> None:
    front = run()
    with Client(front.address) as client:
        block = headers(ECHO, grpc_timeout="soon")
        client.send(frame(HEADERS, END_HEADERS, 1, block) + frame(DATA, END_STREAM, 1, b"\0\0\0\0\0"))
        assert client.until(HEADERS)[1] & END_STREAM
    assert front.calls == []


def test_half_open_calls_take_no_places_and_end_at_their_deadline(run: Run) -> None:
    front = run(in_flight_limit=1)
    with Client(front.address) as client:
        for stream in range(1, 100, 2):
            client.send(frame(HEADERS, END_HEADERS, stream, headers(ECHO, grpc_timeout="200m")))
        front.counted("received", 50)
        still_serves(front)
        assert client.until(HEADERS)[1] & END_STREAM
    front.counted("refused_message", 50)


def test_a_stream_reset_in_its_middle_is_forgotten(run: Run) -> None:
    front = run()
    with Client(front.address) as client:
        client.send(frame(HEADERS, END_HEADERS, 1, headers(ECHO)) + frame(DATA, 0, 1, b"\0\0\0"))
        front.counted("received", 1)
        client.send(frame(RST_STREAM, 0, 1, b"\0\0\0\x08"))
        still_serves(front)
    front.until(lambda: front.front.counters()["in_flight"] == 0)


def test_a_client_that_gives_up_many_calls_at_once_keeps_its_connection(run: Run) -> None:
    front = run(in_flight_limit=128)
    with Client(front.address) as client:
        given_up = (
            frame(HEADERS, END_HEADERS, stream, headers(ECHO))
            + frame(DATA, END_STREAM, stream, b"\0\0\0\0\x02hi")
            + frame(RST_STREAM, 0, stream, b"\0\0\0\x08")
            for stream in range(1, 2 * 1500, 2)
        )
        client.send(b"".join(given_up))
        front.counted("received", 1500)
        front.until(lambda: front.front.counters()["in_flight"] == 0)
        call = frame(HEADERS, END_HEADERS, 3001, headers(ECHO))
        client.send(call + frame(DATA, END_STREAM, 3001, b"\0\0\0\0\x05there"))
        assert client.until(DATA)[3] == b"\0\0\0\0\x05there"


def test_a_reader_that_does_not_read_stops_only_itself(run: Run) -> None:
    front = run(lambda _, bodies, __: [b"x" * 1_000_000 if body == b"large" else body for body in bodies])
    with Client(front.address, settings=b"\0\x04\0\0\0\0") as client:  # SETTINGS_INITIAL_WINDOW_SIZE = 0
        for stream in range(1, 40, 2):
            call = frame(HEADERS, END_HEADERS, stream, headers(ECHO))
            client.send(call + frame(DATA, END_STREAM, stream, b"\0\0\0\0\x05large"))
        front.counted("answered", 20)
        still_serves(front)
    front.until(lambda: front.front.counters()["connections_open"] == 1)


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\n" * 100,
    ],
)
def test_another_protocol_is_hung_up_on(run: Run, data: bytes) -> None:
    front = run()
    with raw(front.address, data) as connection:
        assert hung_up(connection)
    front.counted("connections_failed", 1)
    still_serves(front)


def test_garbage_after_the_preface_ends_the_connection_only(run: Run) -> None:
    front = run()
    noise = random.Random(7)
    for _ in range(200):
        try:
            with raw(front.address, PREFACE + frame(SETTINGS, 0, 0) + noise.randbytes(noise.randrange(1, 2000))):
                pass
        except ConnectionError:
            pass
    for flags in range(256):
        with raw(
            front.address, PREFACE + frame(SETTINGS, 0, 0) + frame(flags % 12, flags, flags % 3, noise.randbytes(40))
        ):
            pass
    still_serves(front)
    front.until(lambda: front.front.counters()["connections_open"] == 1)


def test_a_silent_peer_does_not_keep_the_server_from_stopping(run: Run) -> None:
    front = run()
    with raw(front.address, b""):
        front.counted("connections", 1)
        started = time.monotonic()
        front.channel.close()
        front.front.stop(0.5)
        assert time.monotonic() - started < 2


def test_large_headers_are_refused(run: Run) -> None:
    front = run()
    with Client(front.address) as client:
        block = headers(ECHO) + b"".join(b"\0\x02xx\x64" + b"y" * 100 for _ in range(300))
        client.send(frame(HEADERS, END_STREAM, 1, block[:16000]) + frame(9, END_HEADERS, 1, block[16000:]))
        client.closed_within(0.5)
    still_serves(front)
    assert [bodies for _, bodies, _ in front.calls] == [[b"still here"]]
