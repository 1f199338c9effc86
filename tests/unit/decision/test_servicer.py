"""The edge: how errors become status codes, and what is counted on the way."""

from collections.abc import Sequence
from typing import Any, NoReturn, cast

import grpc
import pytest
from prometheus_client import generate_latest
from structlog.testing import capture_logs

from interlude.contacts.campaign import DEFAULT_CAMPAIGNS
from interlude.servicekit.producing import KafkaHeaders
from interlude.v1 import decision_pb2 as pb
from services.decision.decision_log import DecisionLog
from services.decision.engine import DecisionEngine, Listeners
from services.decision.journal import Journal
from services.decision.listeners import Listener
from services.decision.methods import UNREADABLE, method_handlers
from services.decision.metrics import DecisionMetrics
from services.decision.servicer import DecisionServicer
from services.decision.tokens import Shown, TokenIssuer
from tests.contract.fakes import FakeChampion, FakeLedger, FakeListeners

_NOW_MS = 1_700_000_000_000
_TOKENS = TokenIssuer(bytes(32))
_SECRET = "a sentence that no caller may read"


class _Ended(Exception):
    """What a context's `abort` raises."""


class _Context:
    """A call as gRPC hands it over, as far as the servicer looks at it."""

    def __init__(self) -> None:
        self.ended_with: grpc.StatusCode | None = None
        self.details = ""

    def time_remaining(self) -> float | None:
        """No deadline."""
        return None

    def code(self) -> grpc.StatusCode | None:
        """What the call was ended with."""
        return self.ended_with

    def abort(self, code: grpc.StatusCode, details: str) -> NoReturn:
        """End the call."""
        self.ended_with, self.details = code, details
        raise _Ended


class _Sink:
    """Kafka's queue; `room` false: it is full."""

    def __init__(self, *, room: bool) -> None:
        self.room = room
        self.topics: list[str] = []

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: KafkaHeaders | None = None) -> bool:
        """Take a record, or not."""
        assert key
        assert value
        assert headers
        self.topics.append(topic)
        return self.room


class _BrokenListeners:
    def read(self, customer_ids: Sequence[int], timeout_seconds: float) -> list[Listener]:
        raise ZeroDivisionError(_SECRET, customer_ids, timeout_seconds)


def _servicer(sink: _Sink, listeners: Listeners | None = None) -> tuple[DecisionServicer, DecisionMetrics]:
    metrics = DecisionMetrics()
    engine = DecisionEngine(
        listeners or FakeListeners(), FakeLedger(), FakeChampion(), now_ms=lambda: _NOW_MS, reserve_seconds=0.002
    )
    journal = Journal(sink)
    log = DecisionLog(journal, lambda: None, service_version="1")
    servicer = DecisionServicer(engine, DEFAULT_CAMPAIGNS, _TOKENS, log, journal, metrics, now_ms=lambda: _NOW_MS)
    return servicer, metrics


def _end(servicer: DecisionServicer, method: str, request: object) -> _Context:
    context = _Context()
    with pytest.raises(_Ended):
        getattr(servicer, method)(request, cast(grpc.ServicerContext, context))
    return context


def _exported(metrics: DecisionMetrics) -> str:
    return generate_latest(metrics.registry).decode()


def test_an_error_of_ours_is_internal_with_an_id_and_nothing_else() -> None:
    servicer, metrics = _servicer(_Sink(room=True), _BrokenListeners())
    with capture_logs() as logs:
        context = _end(servicer, "Decide", pb.DecideRequest(request_id="r", customer_id=1))
    assert context.ended_with is grpc.StatusCode.INTERNAL
    error_id = context.details.removeprefix("internal error ")
    assert len(error_id) == 12
    assert _SECRET not in context.details
    assert [(line["event"], line["error_id"], line["method"]) for line in logs] == [
        ("internal error", error_id, "Decide")
    ]
    assert 'interlude_decision_internal_errors_total{method="Decide"} 1.0' in _exported(metrics)


@pytest.mark.parametrize("method", ["Decide", "DecideBatch", "Explain", "ReportOutcome"])
def test_a_body_that_did_not_parse_is_the_callers_fault(method: str) -> None:
    servicer, metrics = _servicer(_Sink(room=True))
    context = _end(servicer, method, UNREADABLE)
    assert context.ended_with is grpc.StatusCode.INVALID_ARGUMENT
    assert context.details.startswith("request ")
    assert f'refused_requests_total{{field="request",method="{method}"}} 1.0' in _exported(metrics)


def test_a_wrong_entry_of_a_batch_is_counted_under_its_field_and_not_its_place() -> None:
    servicer, metrics = _servicer(_Sink(room=True))
    batch = pb.DecideBatchRequest(requests=[pb.DecideRequest(request_id="r"), pb.DecideRequest()])
    assert _end(servicer, "DecideBatch", batch).details.startswith("requests[1].request_id ")
    assert 'refused_requests_total{field="request_id",method="DecideBatch"} 1.0' in _exported(metrics)


def test_an_outcome_without_room_for_it_may_be_reported_again() -> None:
    servicer, metrics = _servicer(_Sink(room=False))
    token = _TOKENS.issue(Shown("ab" * 16, 1, "premium-day", _NOW_MS))
    context = _end(servicer, "ReportOutcome", pb.ReportOutcomeRequest(outcome_token=token, kind=2))  # type: ignore[arg-type]
    assert context.ended_with is grpc.StatusCode.UNAVAILABLE
    assert "outcomes_total{" not in _exported(metrics)


def test_a_decision_is_counted_by_reason_and_rung_and_not_written_before_its_answer() -> None:
    sink = _Sink(room=True)
    servicer, metrics = _servicer(sink)
    request = pb.DecideRequest(request_id="r", customer_id=2)
    context = cast(grpc.ServicerContext, _Context())
    assert servicer.Decide(request, context).reason == pb.REASON_UNKNOWN_CUSTOMER
    assert sink.topics == []
    assert 'answers_total{reason="unknown_customer",rung="no_model"} 1.0' in _exported(metrics)


def test_every_method_of_the_service_has_a_handler() -> None:
    handlers: dict[str, Any] = method_handlers(_servicer(_Sink(room=True))[0])
    assert sorted(handlers) == ["Decide", "DecideBatch", "Explain", "ReportOutcome"]
    assert handlers["Decide"].request_deserializer(b"\x0a\x01r") == pb.DecideRequest(request_id="r")
    assert handlers["Decide"].request_deserializer(b"\xff") is UNREADABLE
