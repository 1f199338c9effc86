"""Beginning, middle and end of a front and of its connections."""

import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from batchfront import Answer, Front, Handler
from conftest import ECHO, Run
from frames import DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, WINDOW_UPDATE, Client, frame, headers
from grpc_health.v1 import health_pb2, health_pb2_grpc
from test_batches import failure


def nothing(_: str, bodies: list[bytes], __: list[float]) -> list[Any]:
    return list(bodies)


def test_a_taken_address_is_an_oserror() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}: Address already in use"):
            Front(f"127.0.0.1:{port}", [ECHO], nothing)


def test_a_port_can_be_shared_when_both_want_it() -> None:
    first = Front("127.0.0.1:0", [ECHO], nothing, reuse_port=True)
    Front(f"127.0.0.1:{first.port}", [ECHO], nothing, reuse_port=True)


def test_everything_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(ValueError, match="batch_limit=0") as raised:
        Front(
            "nowhere",
            ["echo", "/grpc.health.v1.Health/Check"],
            7,  # type: ignore[arg-type]
            echoes={"/a.B/C": b"", "bad": b""},
            descriptor_set=b"\xff",
            batch_limit=0,
            in_flight_limit=-1,
            keepalive_timeout_ms=2**40,
            certificate_file="/none.pem",
        )
    told = str(raised.value)
    for part in (
        "in_flight_limit=-1",
        "keepalive_timeout_ms",
        "handle",
        '"echo"',
        '"bad"',
        "Health/Check",
        "listen",
        "descriptor_set",
        "key_file",
    ):
        assert part in told, told


def test_the_types_of_the_interface_can_be_imported() -> None:
    assert Answer == bytes | tuple[int, str]
    assert Handler == Callable[[str, list[bytes], list[float]], list[Answer]]


def test_a_wrong_type_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        Front("127.0.0.1:0", "/a.B/C", nothing)
    with pytest.raises(TypeError):
        Front("127.0.0.1:0", [ECHO], nothing, echoes={"/a.B/C": "text"})  # type: ignore[dict-item]


def test_it_starts_once_and_stops_as_often_as_asked() -> None:
    front = Front("127.0.0.1:0", [ECHO], nothing)
    front.start()
    with pytest.raises(RuntimeError, match="once"):
        front.start()
    with pytest.raises(ValueError, match="grace_seconds"):
        front.stop(-1)
    front.stop(1)
    front.stop(1)
    front.work()
    with pytest.raises(RuntimeError, match="once"):
        front.start()


def test_one_that_never_started_stops_and_frees_its_port() -> None:
    front = Front("127.0.0.1:0", [ECHO], nothing)
    front.stop(1)
    Front(f"127.0.0.1:{front.port}", [ECHO], nothing).stop(0)


def test_stopping_lets_calls_in_progress_end_and_takes_no_new_ones(run: Run) -> None:
    front = run(queue_limit_ms=10_000)
    busy = front.hold()
    waits = front.call().future(b"waits", timeout=20)
    front.counted("in_flight", 2)
    stopping = threading.Thread(target=front.front.stop, args=(10,))
    stopping.start()
    front.until(lambda: refused(front.front.port))
    assert stopping.is_alive()
    front.gate.set()
    assert (busy.result(), waits.result()) == (b"busy", b"waits")
    stopping.join(5)
    assert not stopping.is_alive()
    front.workers[0].join(5)
    assert not front.workers[0].is_alive()
    assert failure(front.call().future(b"new", timeout=5)).code() is grpc.StatusCode.UNAVAILABLE


def refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def test_what_outlasts_the_grace_is_unavailable(run: Run) -> None:
    front = run(queue_limit_ms=10_000)
    busy = front.hold()
    waits = front.call().future(b"waits", timeout=20)
    front.counted("in_flight", 2)
    started = time.monotonic()
    front.front.stop(0.3)
    assert 0.3 <= time.monotonic() - started < 2
    assert {failure(busy).code(), failure(waits).code()} == {grpc.StatusCode.UNAVAILABLE}
    front.gate.set()
    assert [bodies for _, bodies, _ in front.calls] == [[b"busy"]]


def test_an_idle_server_stops_at_once_though_clients_stay_connected_and_watch(run: Run) -> None:
    front = run()
    front.say(b"connect")
    watched = health_pb2_grpc.HealthStub(front.channel).Watch(health_pb2.HealthCheckRequest())
    assert next(watched).status == health_pb2.HealthCheckResponse.SERVING
    started = time.monotonic()
    front.front.stop(20)
    assert time.monotonic() - started < 5
    assert [answer.status for answer in watched] == [health_pb2.HealthCheckResponse.NOT_SERVING]


def test_stopping_under_load_fails_no_call_that_was_answered(run: Run) -> None:
    front = run()
    outcomes: list[grpc.StatusCode] = []

    def ask() -> None:
        while not outcomes or outcomes[-1] is grpc.StatusCode.OK:
            future = front.call().future(b"x", timeout=5)
            outcomes.append(grpc.StatusCode.OK if future.exception() is None else future.code())

    caller = threading.Thread(target=ask)
    caller.start()
    front.until(lambda: len(outcomes) > 100)
    front.front.stop(5)
    caller.join(10)
    counters = front.front.counters()
    assert outcomes[-1] is grpc.StatusCode.UNAVAILABLE
    assert counters["answered"] == len(outcomes) - 1
    assert counters["received"] == counters["answered"] + counters["refused_stopping"]


def test_a_call_that_comes_too_late_breaks_none_in_progress(run: Run) -> None:
    """What gRPC's own client sends when a call begins just before it reads that the server stops."""
    front = run()
    front.gate.clear()
    with Client(front.address) as client:
        client.send(_call(1, b"waits"))
        front.until(lambda: front.calls != [])
        stopping = threading.Thread(target=front.front.stop, args=(10,))
        stopping.start()
        front.until(lambda: refused(front.front.port))
        client.send(_call(3, b"late") + frame(WINDOW_UPDATE, 0, 3, (5).to_bytes(4, "big")))
        refusal = client.until(HEADERS, before=GOAWAY)
        assert (refusal[1] & END_STREAM, refusal[2]) == (END_STREAM, 3)
        front.gate.set()
        assert client.until(HEADERS, before=GOAWAY)[2] == 1
        assert client.until(DATA, before=GOAWAY)[3].endswith(b"waits")
        client.until(GOAWAY)
        pong = frame(PING, 1, 0, client.until(PING)[3])
        client.send(pong + _call(5, b"later") + frame(WINDOW_UPDATE, 0, 5, (5).to_bytes(4, "big")))
        assert client.closed_within(5)
    stopping.join(5)
    counters = front.front.counters()
    assert (counters["received"], counters["answered"], counters["refused_stopping"]) == (2, 1, 1)


def test_a_call_that_hangs_does_not_keep_a_stop_from_its_clients(run: Run) -> None:
    front = run()
    front.gate.clear()
    with Client(front.address) as client:
        client.send(_call(1, b"hangs"))
        front.until(lambda: front.calls != [])
        stopping = threading.Thread(target=front.front.stop, args=(10,))
        stopping.start()
        assert client.until(GOAWAY, before=HEADERS)
        front.gate.set()
        assert client.until(DATA)[3].endswith(b"hangs")
    stopping.join(5)


def _call(stream: int, body: bytes) -> bytes:
    message = b"\0" + len(body).to_bytes(4, "big") + body
    return frame(HEADERS, END_HEADERS, stream, headers(ECHO)) + frame(DATA, END_STREAM, stream, message)


def test_old_connections_are_renewed_without_a_failed_call(run: Run) -> None:
    front = run(connection_age_ms=100)
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        assert front.say(b"x") == b"x"
    assert front.front.counters()["connections"] >= 5


def test_a_dead_peer_is_found_by_keepalive(run: Run) -> None:
    front = run(keepalive_interval_ms=100, keepalive_timeout_ms=100)
    with Client(front.address) as client:
        client.until(PING)
        assert client.closed_within(5)


def test_pings_of_clients_are_permitted(run: Run) -> None:
    front = run(workers=0)
    options = [
        ("grpc.keepalive_time_ms", 100),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
    ]
    with grpc.insecure_channel(front.address, options=options) as channel:
        grpc.channel_ready_future(channel).result(5)
        method: Any = channel.unary_unary(ECHO)
        assert failure(method.future(b"x", timeout=2)).code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert front.front.counters()["connections"] == 1


def test_counters_are_whole_numbers_by_name(run: Run) -> None:
    front = run()
    front.say(b"a")
    counters = front.front.counters()
    assert all(isinstance(value, int) and value >= 0 for value in counters.values())
    assert (counters["received"], counters["answered"], counters["batches"], counters["connections_open"]) == (
        1,
        1,
        1,
        1,
    )
