"""The two fronts by themselves, before a handler that echoes: whom they turn away, with which words, and what they count."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import grpc
import pytest

from devstack.ports import LOOPBACK, free_port
from services.decision.certificates import CertificateFiles, UnusableCertificates
from services.decision.fronts import Front, PortTaken
from services.decision.grpcio_front import PENDING_LIMIT, GrpcioFront
from services.decision.methods import METHODS, Reply, path_of
from services.decision.native_front import NativeFront
from tests.integration.decision_scene import FRONTS, PATIENT_S, until

_IN_FLIGHT_LIMIT: Final = 2
_CALLS: Final = 500
"""More than may be in flight, less than the 1000 from which grpcio begins to drop calls before it shows them to anybody."""
_REFUSALS: Final = {"too many calls in flight", "calls wait too long"}
_RETRY_INFO: Final = b"\x1a\x33\x0a\x28type.googleapis.com/google.rpc.RetryInfo\x12\x07\x0a\x05\x10\x80\xc2\xd7\x2f"
"""The details of a `google.rpc.Status`: a `RetryInfo` of 100,000,000 ns."""
_UNSEEN: Final = "CANCELLED"
"""How grpcio's core ends calls that it does not hand over, there being too many already."""


@dataclass
class _Served:
    """A front and a channel to it."""

    front: Front
    channel: grpc.Channel

    def begin(self, body: bytes, timeout_s: float = PATIENT_S) -> "grpc.Future[bytes]":
        """A call that is on its way."""
        call = self.channel.unary_unary(path_of(METHODS[0]), request_serializer=bytes, response_deserializer=bytes)
        return cast("grpc.Future[bytes]", call.future(body, timeout=timeout_s))


class _Gate:
    """A handler that echoes; "wait" waits until the gate is open."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.reached = threading.Event()

    def handle(self, _path: str, bodies: Sequence[bytes], _remaining_seconds: Sequence[float]) -> list[Reply]:
        """The bodies themselves."""
        if b"wait" in bodies:
            self.reached.set()
            assert self.open.wait(PATIENT_S)
        return list(bodies)


@pytest.fixture
def gate() -> _Gate:
    """What the front asks."""
    return _Gate()


@pytest.fixture(params=FRONTS)
def kind(request: pytest.FixtureRequest) -> Callable[..., Front]:
    """Each front in turn."""
    kinds: dict[str, Callable[..., Front]] = {"grpcio": GrpcioFront, "native": NativeFront}
    return kinds[request.param]


@pytest.fixture
def served(kind: Callable[..., Front], gate: _Gate) -> Iterator[_Served]:
    """A front that answers."""
    address = f"{LOOPBACK}:{free_port()}"
    front = kind(address, gate.handle, in_flight_limit=_IN_FLIGHT_LIMIT)
    front.start()
    try:
        with grpc.insecure_channel(address) as channel:
            yield _Served(front, channel)
    finally:
        gate.open.set()
        front.stop(1.0)


def _end(call: "grpc.Future[bytes]") -> str:
    error = call.exception(timeout=PATIENT_S)
    return "OK" if error is None else cast(grpc.Call, error).code().name


def test_a_refusal_says_when_to_come_back(served: _Served, gate: _Gate) -> None:
    first = served.begin(b"wait")
    assert gate.reached.wait(PATIENT_S)
    others = [served.begin(b"x") for _ in range(_CALLS)]
    gate.open.set()
    ends = Counter(_end(call) for call in others)
    unseen = ends.pop(_UNSEEN, 0) if isinstance(served.front, GrpcioFront) else 0
    assert (_end(first), set(ends)) == ("OK", {"OK", "RESOURCE_EXHAUSTED"})
    refusals = [call.exception() for call in others if _end(call) == "RESOURCE_EXHAUSTED"]
    for refusal in cast(list[grpc.Call], refusals):
        text = refusal.details()
        assert text in _REFUSALS
        status = b"\x08\x08\x12" + bytes([len(text)]) + text.encode() + _RETRY_INFO
        assert dict(refusal.trailing_metadata() or ())["grpc-status-details-bin"] == status
    counters = served.front.counters()
    refused = counters.get("refused_in_flight", 0) + counters.get("refused_queue", 0)
    assert (counters["received"], counters["answered"]) == (_CALLS + 1 - unseen, ends["OK"] + 1)
    assert refused == ends["RESOURCE_EXHAUSTED"]


def test_files_that_have_become_unusable_are_told_before_anything_is_served(
    kind: Callable[..., Front], gate: _Gate, tmp_path: Path
) -> None:
    files = CertificateFiles(str(tmp_path / "tls.crt"), str(tmp_path / "tls.key"))
    with pytest.raises(UnusableCertificates, match=r"tls\.crt"):
        kind(f"{LOOPBACK}:{free_port()}", gate.handle, in_flight_limit=1, certificates=files)


@pytest.mark.parametrize("listen", ["nowhere.invalid:1", "192.0.2.1:1"])
def test_an_address_that_cannot_be_had_is_told(kind: Callable[..., Front], gate: _Gate, listen: str) -> None:
    with pytest.raises(PortTaken, match=listen):
        kind(listen, gate.handle, in_flight_limit=1).start()


@pytest.mark.parametrize("kind", ["grpcio"], indirect=True)
def test_grpcio_ends_at_once_what_would_only_expire_in_its_line(served: _Served, gate: _Gate) -> None:
    first = served.begin(b"wait")
    assert gate.reached.wait(PATIENT_S)
    others = [served.begin(b"x") for _ in range(_CALLS)]
    until(lambda: sum(call.done() for call in others) >= _CALLS - 2 * PENDING_LIMIT, "calls stay in the line")
    assert {_end(call) for call in others if call.done()} == {_UNSEEN}
    gate.open.set()
    assert _end(first) == "OK"


def test_it_serves_on_at_once_when_the_rush_is_over(served: _Served, gate: _Gate) -> None:
    gate.open.set()
    rush = [served.begin(b"x") for _ in range(_CALLS)]
    refused = {"RESOURCE_EXHAUSTED", _UNSEEN} if isinstance(served.front, GrpcioFront) else {"RESOURCE_EXHAUSTED"}
    assert {_end(call) for call in rush} <= {"OK", *refused}
    assert {_end(served.begin(b"x")) for _ in range(50)} == {"OK"}
    until(lambda: served.front.in_flight == 0, "calls stay in flight")
