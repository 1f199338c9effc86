"""The clients of player teams, on threads and on asyncio: whatever the other side does, "no ad" in time and never an exception."""

import asyncio
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from devstack.ports import LOOPBACK, free_port
from devstack.stack import Stack
from interlude.client import AsyncDecisionClient, Decision, Outcome
from interlude.v1 import decision_pb2 as pb
from tests.clients import Connect
from tests.integration.decision_scene import UNHURRIED, running, until

_PATIENT_MS = 20_000
_SLACK_S = 1.5
"""What a busy machine may add to a deadline; a client that hangs would take far longer."""

_Answer = Callable[[bytes, grpc.ServicerContext], bytes]


@contextmanager
def _server(answer: _Answer, port: int = 0) -> Iterator[str]:
    """A server that answers the service's methods with whatever bytes `answer` gives; gives its address."""
    method: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(answer)
    handlers = {"Decide": method, "ReportOutcome": method}
    server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("interlude.v1.DecisionService", handlers),))
    bound = server.add_insecure_port(f"{LOOPBACK}:{port}")
    server.start()
    try:
        yield f"{LOOPBACK}:{bound}"
    finally:
        server.stop(None).wait()


def _no_ad(decision: Decision, error: str) -> bool:
    facts = (decision.show, decision.reason, decision.degraded, decision.error, decision.outcome_token)
    return facts == (False, "NOT_ASKED", True, error, b"")


def _refuse(_request: bytes, context: grpc.ServicerContext) -> bytes:
    context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "later")


def test_an_answer_is_handed_over_whole(connect: Connect) -> None:
    response = pb.DecideResponse(
        show=True,
        reason=pb.REASON_SHOW,
        decision_id="d",
        campaign_id="c",
        score=0.5,
        model_version="v",
        degraded=True,
        outcome_token=b"t",
    )
    requests: list[pb.DecideRequest] = []

    def answer(request: bytes, _context: grpc.ServicerContext) -> bytes:
        requests.append(pb.DecideRequest.FromString(request))
        return response.SerializeToString()

    with _server(answer) as target, connect(target, deadline_ms=_PATIENT_MS) as client:
        decision = client.decide(7, next_track_id=8, campaign_id="c", request_id="r")
        assert decision == Decision(True, "SHOW", "r", "d", "c", "v", 0.5, True, b"t")
        assert client.decide(7).request_id != client.decide(7).request_id
    first = requests[0]
    assert (first.request_id, first.customer_id, first.next_track_id, first.campaign_id) == ("r", 7, 8, "c")


def test_a_reason_of_a_newer_service_is_handed_over_as_its_number(connect: Connect) -> None:
    body = pb.DecideResponse(show=True, decision_id="d").SerializeToString() + b"\x10\x63"  # reason: 99
    with _server(lambda *_: body) as target, connect(target, deadline_ms=_PATIENT_MS) as client:
        decision = client.decide(1)
    assert (decision.show, decision.reason, decision.error) == (True, "99", "")


def test_nobody_listening_means_no_ad(connect: Connect) -> None:
    with connect(f"{LOOPBACK}:{free_port()}") as client:
        decision = client.decide(1)
        assert _no_ad(decision, "UNAVAILABLE") or _no_ad(decision, "DEADLINE_EXCEEDED")
        assert not client.report(decision, Outcome.CLICK)
        assert not client.warm_up(0.1)


def test_a_server_that_hangs_costs_the_deadline_and_no_more(connect: Connect) -> None:
    released = threading.Event()

    def hang(*_: object) -> bytes:
        released.wait(30)
        return b""

    with _server(hang) as target, connect(target, deadline_ms=50) as client:
        assert client.warm_up()
        started = time.monotonic()
        assert _no_ad(client.decide(1), "DEADLINE_EXCEEDED")
        assert 0.05 <= time.monotonic() - started < 0.05 + _SLACK_S
        released.set()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lambda *_: b"\xff\xff garbage", "INTERNAL"),
        (_refuse, "RESOURCE_EXHAUSTED"),
        (lambda *_: 1 / 0, "UNKNOWN"),
    ],
)
def test_garbage_and_errors_mean_no_ad(connect: Connect, answer: _Answer, error: str) -> None:
    with _server(answer) as target, connect(target, deadline_ms=_PATIENT_MS) as client:
        decision = client.decide(1)
        assert _no_ad(decision, error)
        assert not client.report(decision, Outcome.CLICK)


@pytest.mark.parametrize(
    "target", ["", "no port", "ipv4:garbage", "dns:///", "nowhere://else", "\0", "127.0.0.1:99999"]
)
def test_a_garbage_target_means_no_ad(connect: Connect, target: str) -> None:
    with connect(target, deadline_ms=300) as client:
        started = time.monotonic()
        decision = client.decide(1)
        assert time.monotonic() - started < 0.3 + _SLACK_S
        assert (decision.show, decision.reason, decision.degraded) == (False, "NOT_ASKED", True)
        assert not client.warm_up(0.1)


def test_a_deadline_shorter_than_the_answer_means_no_ad(connect: Connect) -> None:
    body = pb.DecideResponse(show=True, reason=pb.REASON_SHOW).SerializeToString()

    def slowly(*_: object) -> bytes:
        time.sleep(0.2)
        return body

    with _server(slowly) as target, connect(target, deadline_ms=20) as hasty:
        assert hasty.warm_up()
        assert _no_ad(hasty.decide(1), "DEADLINE_EXCEEDED")
        with connect(target, deadline_ms=_PATIENT_MS) as patient:
            assert patient.decide(1).show


@pytest.mark.parametrize(
    ("status", "attempts"),
    [
        (grpc.StatusCode.UNAVAILABLE, 3),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, 1),
        (grpc.StatusCode.DEADLINE_EXCEEDED, 1),
        (grpc.StatusCode.INVALID_ARGUMENT, 1),
    ],
)
def test_only_what_nobody_took_is_asked_again(connect: Connect, status: grpc.StatusCode, attempts: int) -> None:
    requests: list[bytes] = []

    def refuse(request: bytes, context: grpc.ServicerContext) -> bytes:
        requests.append(request)
        context.abort(status, "no")

    with _server(refuse) as target, connect(target, deadline_ms=_PATIENT_MS) as client:
        assert _no_ad(client.decide(1), status.name)
        assert requests == requests[:1] * attempts
    requests.clear()  # a new address: what failed at the old one counts against asking again there
    with _server(refuse) as target, connect(target) as client:
        assert not client.report(Decision(True, "SHOW", "r"), Outcome.CLICK)
        assert requests == requests[:1] * attempts


def test_closing_answers_a_question_on_its_way() -> None:
    asked, released = threading.Event(), threading.Event()

    def hang(*_: object) -> bytes:
        asked.set()
        released.wait(30)
        return b""

    async def scenario(target: str) -> Decision:
        client = AsyncDecisionClient(target, deadline_ms=_PATIENT_MS)
        question = asyncio.create_task(client.decide(1))
        while not asked.is_set():
            await asyncio.sleep(0.01)
        await client.close()
        return await question

    with _server(hang) as target:
        decision = asyncio.run(scenario(target))
        released.set()
    assert _no_ad(decision, "CANCELLED")


def test_a_server_that_speaks_something_else_means_no_ad(connect: Connect) -> None:
    with _http_server() as target, connect(target, deadline_ms=500) as client:
        decision = client.decide(1)
    assert _no_ad(decision, "UNAVAILABLE") or _no_ad(decision, "DEADLINE_EXCEEDED")


def test_what_cannot_be_asked_means_no_ad(connect: Connect) -> None:
    with _server(lambda *_: b"") as target:
        client = connect(target, deadline_ms=_PATIENT_MS)
        assert _no_ad(client.decide(2**63), "UNKNOWN")
        assert _no_ad(client.decide(1, next_track_id=2**63), "UNKNOWN")
        assert not client.report(client.decide(1), Outcome.CLICK, at_ms=2**63)
        client.close()
        assert _no_ad(client.decide(1), "UNKNOWN")
        assert not client.report(Decision(False, "SHOW", "r"), Outcome.CLICK)


def test_a_restarted_server_is_found_again(connect: Connect) -> None:
    port = free_port()
    body = pb.DecideResponse(show=True, reason=pb.REASON_SHOW).SerializeToString()
    with connect(f"{LOOPBACK}:{port}", deadline_ms=500) as client:
        for _ in range(2):
            with _server(lambda *_: body, port):
                until(lambda: client.decide(1).show, "the server was not found")
            assert not client.decide(1).show


def test_a_warm_client_gets_the_offer_of_the_real_service_and_reports_it(
    connect: Connect, stack: Stack, tmp_path: Path
) -> None:
    with (
        running(stack, tmp_path, settings=UNHURRIED) as scene,
        connect(scene.target, deadline_ms=_PATIENT_MS) as client,
    ):
        assert client.warm_up()
        customer_id = scene.new_listener()
        decision = client.decide(customer_id)
        assert (decision.show, decision.reason, decision.degraded, decision.error) == (True, "SHOW", False, "")
        assert client.report(decision, Outcome.IMPRESSION)
        assert client.report(decision, Outcome.CLICK)
        again = client.decide(customer_id)
        assert (again.show, again.reason) == (False, "MINIMUM_GAP")
        assert not client.report(again, Outcome.CLICK)  # nothing was shown
        assert _no_ad(client.decide(-1), "INVALID_ARGUMENT")
        scene.process.terminate()
        assert not client.decide(customer_id).show


@contextmanager
def _http_server() -> Iterator[str]:
    """Something on a port that answers in another protocol."""
    with (
        socketserver.ThreadingTCPServer((LOOPBACK, 0), _Http) as server,
        ThreadPoolExecutor(1) as pool,
    ):
        pool.submit(server.serve_forever)
        yield f"{LOOPBACK}:{server.server_address[1]}"
        server.shutdown()


class _Http(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.wfile.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
