"""The edge: how errors become status codes, and what is counted on the way."""

import math
from collections.abc import Sequence

import pytest
from prometheus_client import generate_latest
from structlog.testing import capture_logs

from interlude.contacts.campaign import Campaign, Campaigns
from interlude.servicekit.producing import KafkaHeaders
from interlude.v1 import decision_pb2 as pb
from services.decision.engine import DecisionEngine
from services.decision.handler import DecisionHandler
from services.decision.journal import Journal
from services.decision.listeners import Listener
from services.decision.methods import METHODS, Code, Reply, path_of
from services.decision.metrics import DecisionMetrics
from services.decision.outcomes import OutcomeTaker
from services.decision.reserving import Reserver
from services.decision.tokens import VALID_MS, Shown, TokenIssuer
from tests.contract.fakes import FakeBudgets, FakeChampion, FakeLedger, FakeListeners, FakeReported
from tests.unit.decision.decisions import FakeCampaigns, unwritten_log

_NOW_MS = 1_700_000_000_000
_TOKENS = TokenIssuer(bytes(32))
_SECRET = "a sentence that no caller may read"


class _Sink:
    """Kafka's queue; `room` false: it is full."""

    def __init__(self, *, room: bool) -> None:
        self.room = room
        self.broken = False
        self.topics: list[str] = []

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: KafkaHeaders | None = None) -> bool:
        """Take a record, or not."""
        assert key
        assert value
        assert headers
        if self.broken:
            raise ZeroDivisionError(_SECRET)
        if self.room:
            self.topics.append(topic)
        return self.room

    try_send = send


_BROKEN = 666


class _BrokenListeners(FakeListeners):
    """Fails whenever one customer is in the batch."""

    def read(self, customer_ids: Sequence[int], timeout_seconds: float) -> list[Listener]:
        if _BROKEN in customer_ids:
            raise ZeroDivisionError(_SECRET)
        return super().read(customer_ids, timeout_seconds)


class _Desk:
    """A handler over fakes, with what it measured."""

    def __init__(self, *, room: bool = True) -> None:
        self.metrics, self.sink, self.listeners = DecisionMetrics(), _Sink(room=room), _BrokenListeners()
        self.reported, self.campaigns = FakeReported(), FakeCampaigns()
        engine = DecisionEngine(
            self.listeners,
            Reserver(FakeLedger(), FakeBudgets()),
            FakeChampion(),
            now_ms=lambda: _NOW_MS,
            reserve_seconds=0.002,
        )
        outcomes = OutcomeTaker(self.reported, Journal(self.sink), self.metrics.outcomes)
        self._handler = DecisionHandler(
            engine, self.campaigns, _TOKENS, unwritten_log(), outcomes, self.metrics, now_ms=lambda: _NOW_MS
        )

    def ask(self, method: str, *bodies: bytes) -> list[Reply]:
        """The replies to calls without deadlines."""
        return self._handler.handle(path_of(method), bodies, [math.inf] * len(bodies))

    def end(self, method: str, body: bytes) -> tuple[int, str]:
        """The status of a call that has no answer."""
        reply = self.ask(method, body)[0]
        assert not isinstance(reply, bytes)
        return reply

    def end_is_ok(self, method: str, body: bytes) -> bool:
        """Whether a call has an answer."""
        return isinstance(self.ask(method, body)[0], bytes)

    @property
    def exported(self) -> str:
        """The text of /metrics."""
        return generate_latest(self.metrics.registry).decode()


def _question(customer_id: int = 1, request_id: str = "r") -> bytes:
    return pb.DecideRequest(request_id=request_id, customer_id=customer_id).SerializeToString()


def test_an_error_of_ours_is_internal_with_an_id_and_nothing_else() -> None:
    desk = _Desk()
    with capture_logs() as logs:
        code, message = desk.end("Decide", _question(_BROKEN))
    assert code == Code.INTERNAL
    error_id = message.removeprefix("internal error ")
    assert len(error_id) == 12
    assert _SECRET not in message
    assert [(line["event"], line["error_id"], line["method"]) for line in logs] == [
        ("internal error", error_id, "Decide")
    ]
    assert 'interlude_decision_internal_errors_total{method="Decide"} 1.0' in desk.exported


def test_an_error_in_another_method_is_internal_too() -> None:
    desk = _Desk()
    with capture_logs():
        code, message = desk.end("Explain", pb.ExplainRequest(customer_id=_BROKEN).SerializeToString())
    assert (code, _SECRET in message) == (Code.INTERNAL, False)


def test_one_request_that_fails_inside_a_batch_fails_alone() -> None:
    desk = _Desk()
    bodies = [_question(1), b"\xff", _question(_BROKEN), _question(-1), _question(2, "s")]
    with capture_logs():
        replies = desk.ask("Decide", *bodies)
    codes = [0 if isinstance(reply, bytes) else reply[0] for reply in replies]
    assert codes == [0, Code.INVALID_ARGUMENT, Code.INTERNAL, Code.INVALID_ARGUMENT, 0]
    alone = [_Desk().ask("Decide", body)[0] for body in (bodies[0], bodies[4])]
    assert [replies[0], replies[4]] == alone
    assert 'answers_total{reason="unknown_customer",rung="no_model"} 2.0' in desk.exported


def test_calls_that_arrive_together_are_read_together() -> None:
    desk = _Desk()
    desk.ask("Decide", *(_question(customer_id) for customer_id in (3, 1, 2)))
    assert desk.listeners.batches == [[3, 1, 2]]
    assert "batch_requests_sum 3.0" in desk.exported


@pytest.mark.parametrize("method", METHODS)
def test_a_body_that_is_no_message_is_the_callers_fault(method: str) -> None:
    desk = _Desk()
    code, message = desk.end(method, b"\xff")
    assert code == Code.INVALID_ARGUMENT
    assert message.startswith("request ")
    assert f'refused_requests_total{{field="request",method="{method}"}} 1.0' in desk.exported


def test_a_wrong_entry_of_a_batch_is_counted_under_its_field_and_not_its_place() -> None:
    desk = _Desk()
    batch = pb.DecideBatchRequest(requests=[pb.DecideRequest(request_id="r"), pb.DecideRequest()])
    assert desk.end("DecideBatch", batch.SerializeToString())[1].startswith("requests[1].request_id ")
    assert 'refused_requests_total{field="request_id",method="DecideBatch"} 1.0' in desk.exported


def _report(decision: str = "ab", kind: int = 2, *, shown_at_ms: int = _NOW_MS, tokens: TokenIssuer = _TOKENS) -> bytes:
    token = tokens.issue(Shown(decision * 16, 1, "premium-day", shown_at_ms))
    return pb.ReportOutcomeRequest(outcome_token=token, kind=kind).SerializeToString()  # type: ignore[arg-type]


def _event_ids(replies: list[Reply]) -> list[str | int]:
    """What was taken by its event id, the rest by its status."""
    return [
        pb.ReportOutcomeResponse.FromString(reply).event_id if isinstance(reply, bytes) else reply[0]
        for reply in replies
    ]


def test_an_outcome_is_queued_once_however_often_it_is_reported() -> None:
    desk = _Desk()
    first, again = (_event_ids(desk.ask("ReportOutcome", _report())) for _ in range(2))
    assert first == again == ["ab" * 16 + "/AD_EVENT_KIND_CLICK"]
    assert desk.sink.topics == ["ad-events"]
    assert 'decision_outcomes_total{kind="AD_EVENT_KIND_CLICK"} 1.0' in desk.exported
    assert 'repeated_outcomes_total{kind="AD_EVENT_KIND_CLICK"} 1.0' in desk.exported


def test_reports_that_arrive_together_are_checked_together_and_the_same_twice_is_queued_once() -> None:
    desk = _Desk()
    reports = [_report(), _report(kind=1), _report(), b"\xff", _report("cd")]
    replies = desk.ask("ReportOutcome", *reports)
    click, impression = ("ab" * 16 + f"/AD_EVENT_KIND_{kind}" for kind in ("CLICK", "IMPRESSION"))
    other = "cd" * 16 + "/AD_EVENT_KIND_CLICK"
    assert _event_ids(replies) == [click, impression, click, Code.INVALID_ARGUMENT, other]
    assert desk.sink.topics == ["ad-events"] * 3
    assert desk.reported.round_trips == 1


def test_without_redis_an_outcome_is_taken_and_counted_as_unchecked() -> None:
    desk = _Desk()
    desk.reported.available = False
    assert len({*_event_ids(desk.ask("ReportOutcome", _report(), _report()))}) == 1
    assert desk.sink.topics == ["ad-events"] * 2
    assert "unchecked_outcomes_total 2.0" in desk.exported
    assert 'decision_outcomes_total{kind="AD_EVENT_KIND_CLICK"} 2.0' in desk.exported


def test_an_outcome_without_room_for_it_may_be_reported_again() -> None:
    desk = _Desk(room=False)
    # The second of the two is no more taken than the first.
    assert _event_ids(desk.ask("ReportOutcome", _report(), _report())) == [Code.UNAVAILABLE] * 2
    assert "decision_outcomes_total{" not in desk.exported
    desk.sink.room = True
    assert desk.end_is_ok("ReportOutcome", _report())
    assert 'decision_outcomes_total{kind="AD_EVENT_KIND_CLICK"} 1.0' in desk.exported


def test_an_outcome_that_something_broke_may_be_reported_again() -> None:
    desk = _Desk()
    desk.sink.broken = True
    with capture_logs():
        assert _event_ids(desk.ask("ReportOutcome", _report(), _report("cd"))) == [Code.INTERNAL] * 2
    desk.sink.broken = False
    assert desk.end_is_ok("ReportOutcome", _report())
    assert desk.sink.topics == ["ad-events"]


@pytest.mark.parametrize(
    ("report", "cause"),
    [
        pytest.param(_report(shown_at_ms=_NOW_MS - VALID_MS - 1), "expired", id="expired"),
        pytest.param(_report(tokens=TokenIssuer(b"x" * 32)), "forged", id="forged"),
        pytest.param(pb.ReportOutcomeRequest(kind=2).SerializeToString(), "forged", id="no token"),  # type: ignore[arg-type]
    ],
)
def test_a_bad_token_is_counted_by_its_cause(report: bytes, cause: str) -> None:
    desk = _Desk()
    assert desk.end("ReportOutcome", report)[0] == Code.INVALID_ARGUMENT
    assert f'refused_tokens_total{{cause="{cause}"}} 1.0' in desk.exported
    assert desk.sink.topics == []


def test_a_new_document_of_campaigns_is_in_force_with_the_next_batch() -> None:
    desk = _Desk()
    body = pb.DecideRequest(request_id="r", customer_id=1, campaign_id="new").SerializeToString()
    assert desk.end("Decide", body)[0] == Code.INVALID_ARGUMENT
    desk.campaigns.current = Campaigns(campaigns=(Campaign(campaign_id="new"),))
    assert desk.end_is_ok("Decide", body)


def test_a_decision_is_counted_by_reason_and_rung_and_not_written_before_its_answer() -> None:
    desk = _Desk()
    reply = desk.ask("Decide", _question(2))[0]
    assert isinstance(reply, bytes)
    assert pb.DecideResponse.FromString(reply).reason == pb.REASON_UNKNOWN_CUSTOMER
    assert desk.sink.topics == []
    assert 'answers_total{reason="unknown_customer",rung="no_model"} 1.0' in desk.exported
