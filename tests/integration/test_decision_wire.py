"""Whatever a caller puts on the wire ends with the status that says what is wrong, harms nobody else, and leaves no trace of a
listener in the log. The same on both fronts, but for what grpcio answers before it asks us (README, "Statuses")."""

import json
import random
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

import grpc
import pytest
from google.protobuf.message import Message

from devstack.stack import Stack
from interlude.v1 import decision_pb2 as pb
from tests.integration.decision_scene import FRONTS, PATIENT_S, UNHURRIED, DecisionScene, refusal, running, until
from tests.integration.http2 import (
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    NO_WINDOW,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    HandMadeClient,
    frame,
    header_block,
    message,
)
from tests.integration.wrong_requests import LISTENER, QUESTION, WRONG

_SERVICE: Final = "/interlude.v1.DecisionService"
_DECIDE: Final = f"{_SERVICE}/Decide"
_MEBIBYTE: Final = 1024 * 1024


@pytest.fixture(scope="module", params=FRONTS)
def front(request: pytest.FixtureRequest) -> str:
    """The gRPC server that answers."""
    return str(request.param)


@pytest.fixture(scope="module")
def shared(front: str, stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DecisionScene]:
    """One service per front, the listener known to it."""
    with running(stack, tmp_path_factory.mktemp("wire"), front=front, settings=UNHURRIED) as scene:
        yield scene


@pytest.fixture
def scene(shared: DecisionScene) -> Iterator[DecisionScene]:
    """The service; after each test it still answers, has failed nowhere, and has written nothing of the listener."""
    yield shared
    assert shared.decide(shared.new_listener()).show
    assert shared.sample("interlude_decision_internal_errors_total") == 0
    log = shared.process.log.read_text()
    # Every line is one of ours; Kafka's client may warn while its broker comes up.
    assert {json.loads(line)["level"] for line in log.splitlines()} <= {"info", "warning"}
    assert str(LISTENER) not in log


@pytest.mark.parametrize(("method", "request_", "told"), list(WRONG.values()), ids=list(WRONG))
def test_a_wrong_field_is_named_with_its_value_and_limit(
    scene: DecisionScene, method: str, request_: Message, told: str
) -> None:
    error = refusal(lambda: getattr(scene.stub, method)(request_, timeout=PATIENT_S))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details().startswith(told)


@pytest.mark.parametrize("at_ms", [-1, 1, 2**62])
def test_an_outcome_at_an_impossible_time_is_refused(scene: DecisionScene, at_ms: int) -> None:
    token = scene.decide(scene.new_listener()).outcome_token
    report = pb.ReportOutcomeRequest(outcome_token=token, kind=2, at_ms=at_ms)  # type: ignore[arg-type]
    error = refusal(lambda: scene.stub.ReportOutcome(report, timeout=PATIENT_S))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details().startswith(f"at_ms is {at_ms}, expected ")


def _raw(scene: DecisionScene, path: str, body: bytes) -> grpc.Call:
    call = scene.channel.unary_unary(path, request_serializer=bytes, response_deserializer=bytes)
    return refusal(lambda: call(body, timeout=PATIENT_S))


@pytest.mark.parametrize("size", [300 * 1024, 10 * _MEBIBYTE])
def test_a_request_beyond_the_limit_is_refused(scene: DecisionScene, size: int) -> None:
    assert _raw(scene, _DECIDE, bytes(size)).code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("method", ["Decide", "DecideBatch", "Explain", "ReportOutcome"])
@pytest.mark.parametrize("body", [b"\xff" * 9, b"\x0a\xff\xff\xff\xff\x0f", b"\x12\x02"])
def test_bytes_that_are_no_message_are_the_callers_fault(scene: DecisionScene, method: str, body: bytes) -> None:
    assert _raw(scene, f"{_SERVICE}/{method}", body).code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("path", [f"{_SERVICE}/Guess", "/interlude.v2.DecisionService/Decide", "/x", f"{_DECIDE}/more"])
def test_what_does_not_exist_is_not_implemented(scene: DecisionScene, path: str) -> None:
    assert _raw(scene, path, b"").code() is grpc.StatusCode.UNIMPLEMENTED


_ASKED: Final = message(QUESTION.SerializeToString())
_SOON: Final = {"grpc-timeout": "500m"}
_BY_HAND: Final[dict[str, tuple[bytes, dict[str, str], str, str]]] = {
    # What is sent, with which headers, how grpcio ends it, how the native front does.
    "as it should be": (_ASKED, {}, "0", "0"),
    "with a parameter": (_ASKED, {"content-type": "application/grpc+proto"}, "0", "0"),
    "no message": (b"", _SOON, "4", "12"),
    "half a frame": (b"\0\0", _SOON, "4", "3"),
    "half a message": (_ASKED[:-3], _SOON, "4", "3"),
    "two messages": (_ASKED * 2, {}, "0", "12"),
    "no deadline left": (_ASKED, {"grpc-timeout": "0m"}, "4", "4"),
    "unreadable deadline": (_ASKED, {"grpc-timeout": "soon"}, "13", "3"),
    "unknown compression": (message(b"x", flag=1), {"grpc-encoding": "snappy"}, "13", "12"),
    "broken compression": (message(b"x", flag=1), {"grpc-encoding": "gzip"}, "13", "3"),
    "ten megabytes announced": (message(bytes(10 * _MEBIBYTE))[:16_000], {}, "8", "8"),
    "JSON": (_ASKED, {"content-type": "application/json"}, "0", "http 415"),
    "gRPC-web": (_ASKED, {"content-type": "application/grpc-web"}, "0", "http 415"),
    "GET": (_ASKED, {":method": "GET"}, "reset", "http 405"),
}


@pytest.mark.parametrize(("data", "headers", "by_grpcio", "by_native"), list(_BY_HAND.values()), ids=list(_BY_HAND))
def test_a_call_made_by_hand_ends_as_the_readme_says(
    scene: DecisionScene, front: str, data: bytes, headers: dict[str, str], by_grpcio: str, by_native: str
) -> None:
    with HandMadeClient(scene.target) as client:
        end = client.call(_DECIDE, data, headers={"grpc-timeout": "10S", **headers})
    assert end == (by_grpcio if front == "grpcio" else by_native)


def test_half_open_calls_end_at_their_deadline_and_take_no_place(scene: DecisionScene) -> None:
    with HandMadeClient(scene.target) as client:
        for stream in range(1, 199, 2):
            client.open(_DECIDE, stream, {"grpc-timeout": "400m"})
            client.send(frame(DATA, 0, stream, _ASKED[:-1]))
        assert scene.decide(scene.new_listener()).show
        assert client.end(1) == "4"


def test_a_reader_that_does_not_read_stops_only_itself(scene: DecisionScene) -> None:
    question = message(pb.ExplainRequest(customer_id=LISTENER).SerializeToString())
    with HandMadeClient(scene.target, NO_WINDOW) as client:
        for stream in range(1, 81, 2):
            call = frame(HEADERS, END_HEADERS, stream, header_block(f"{_SERVICE}/Explain"))
            client.send(call + frame(DATA, END_STREAM, stream, question))
        for _ in range(20):
            assert scene.decide(scene.new_listener()).show


def test_calls_reset_in_their_middle_are_forgotten(scene: DecisionScene) -> None:
    with HandMadeClient(scene.target) as client:
        for stream in range(1, 401, 2):
            client.open(_DECIDE, stream)
            client.send(frame(DATA, END_STREAM if stream % 4 == 1 else 0, stream, _ASKED[: 3 + stream % 12]))
            client.send(frame(RST_STREAM, 0, stream, b"\0\0\0\x08"))
        # At once, grpcio may still have a full line of them.
        ends = (client.call(_DECIDE, _ASKED, stream) for stream in range(401, 2001, 2))
        until(lambda: next(ends) == "0", "calls that were reset keep others out")
    until(lambda: scene.sample("interlude_decision_calls_in_progress") == 0, "calls stay in progress")


def test_a_connection_dropped_in_the_middle_of_calls_harms_no_other(scene: DecisionScene) -> None:
    for _ in range(20):
        with HandMadeClient(scene.target) as client:
            for stream in range(1, 41, 2):
                client.open(_DECIDE, stream)
                client.send(frame(DATA, END_STREAM, stream, _ASKED))
    until(lambda: scene.sample("interlude_decision_calls_in_progress") == 0, "calls stay in progress")


def _hung_up(client: socket.socket) -> bool:
    """Reads to the end, polite or not; a timeout is raised."""
    with suppress(ConnectionError):
        while client.recv(4096):
            pass
    return True


_OTHER_PROTOCOLS: Final = {
    "HTTP/1.1": b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
    "HTTP/1.1 with a body": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
    "HTTP/1.0": b"GET / HTTP/1.0\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    "lines": b"\n" * 100,
}


@pytest.mark.parametrize("data", list(_OTHER_PROTOCOLS.values()), ids=list(_OTHER_PROTOCOLS))
def test_another_protocol_is_hung_up_on(scene: DecisionScene, data: bytes) -> None:
    host, port = scene.target.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=PATIENT_S) as client:
        client.sendall(data)
        assert _hung_up(client)


def test_noise_ends_its_own_connection_only(scene: DecisionScene) -> None:
    noise = random.Random(7)
    host, port = scene.target.rsplit(":", 1)
    for place in range(150):
        junk = noise.randbytes(noise.randrange(1, 2000))
        odd = frame(place % 12, place, place % 3, junk[:40])
        with suppress(ConnectionError), socket.create_connection((host, int(port)), timeout=PATIENT_S) as client:
            client.sendall(PREFACE + frame(SETTINGS, 0, 0) + (odd if place % 2 else junk))
