"""The gRPC edge: protobuf in, protobuf out, errors as status codes. Decides nothing itself."""

import functools
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, NoReturn, TypeVar

import grpc
import structlog
from prometheus_client import Counter

from interlude.contacts.campaign import Campaigns
from interlude.v1 import decision_pb2 as pb
from interlude.v1 import decision_pb2_grpc, events_pb2
from services.decision.decision_log import DecisionLog
from services.decision.engine import Answer, DecisionEngine, Question
from services.decision.journal import Journal
from services.decision.methods import UNREADABLE
from services.decision.metrics import DecisionMetrics
from services.decision.outcomes import to_ad_event
from services.decision.policy import Reason, Rung
from services.decision.requests import InvalidRequest, to_explained, to_question, to_questions
from services.decision.responses import to_explanation, to_response
from services.decision.tokens import TokenIssuer

NO_DEADLINE_SECONDS: Final = 60.0
"""What a call without a deadline is given; longer than anything inside waits."""

METHODS: Final = tuple(method.name for method in pb.DESCRIPTOR.services_by_name["DecisionService"].methods)

log = structlog.get_logger()

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")
Method = Callable[["DecisionServicer", RequestT, grpc.ServicerContext], ResponseT]


def _guarded(method: Method[RequestT, ResponseT]) -> Method[RequestT, ResponseT]:
    """`method` measured, and with its errors as status codes: the caller's fault is INVALID_ARGUMENT, ours INTERNAL with an id."""
    name = method.__name__

    @functools.wraps(method)
    def guarded(self: "DecisionServicer", request: RequestT, context: grpc.ServicerContext) -> ResponseT:
        started = time.perf_counter()
        try:
            if request is UNREADABLE:
                raise InvalidRequest("request", "is not a binary message of this method")
            return method(self, request, context)
        except InvalidRequest as error:
            self.metrics.refused.labels(name, error.field.rpartition(".")[2]).inc()
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except Exception:
            if context.code() is not None:  # type: ignore[attr-defined]
                raise  # this is how `abort` ends a call
            _abort_internal(self.metrics, name, context)
        finally:
            self.seconds[name].observe(time.perf_counter() - started)

    return guarded


def _abort_internal(metrics: DecisionMetrics, method: str, context: grpc.ServicerContext) -> NoReturn:
    error_id = secrets.token_hex(6)
    metrics.errors.labels(method).inc()
    log.exception("internal error", error_id=error_id, method=method)
    context.abort(grpc.StatusCode.INTERNAL, f"internal error {error_id}")


class DecisionServicer(decision_pb2_grpc.DecisionServiceServicer):
    """`interlude.v1.DecisionService`."""

    def __init__(
        self,
        engine: DecisionEngine,
        campaigns: Campaigns,
        tokens: TokenIssuer,
        decision_log: DecisionLog,
        journal: Journal,
        metrics: DecisionMetrics,
        *,
        now_ms: Callable[[], int],
    ) -> None:
        self.metrics = metrics
        self.seconds = {name: metrics.seconds.labels(name) for name in METHODS}
        self._engine = engine
        self._campaigns = campaigns
        self._tokens = tokens
        self._journal = journal
        self._now_ms = now_ms
        self._decision_log = decision_log
        self._counter = _counters(metrics)

    @_guarded
    def Decide(self, request: pb.DecideRequest, context: grpc.ServicerContext) -> pb.DecideResponse:  # noqa: N802
        """A batch of one."""
        return self._answer([request], [to_question(request, self._campaigns)], context)[0]

    @_guarded
    def DecideBatch(  # noqa: N802
        self, request: pb.DecideBatchRequest, context: grpc.ServicerContext
    ) -> pb.DecideBatchResponse:
        """Up to `BATCH_LIMIT` requests, answered together."""
        questions = to_questions(request, self._campaigns)
        return pb.DecideBatchResponse(responses=self._answer(request.requests, questions, context))

    @_guarded
    def Explain(self, request: pb.ExplainRequest, context: grpc.ServicerContext) -> pb.ExplainResponse:  # noqa: N802
        """The same rules on the same facts, with nothing reserved or logged."""
        question = to_explained(request, self._campaigns)
        return to_explanation(self._engine.judge([question], _remaining_seconds(context))[0])

    @_guarded
    def ReportOutcome(  # noqa: N802
        self, request: pb.ReportOutcomeRequest, context: grpc.ServicerContext
    ) -> pb.ReportOutcomeResponse:
        """Queue the ad event; UNAVAILABLE when there is no room, and the caller may try again."""
        event = to_ad_event(request, self._tokens, self._now_ms())
        if not self._journal.report(event):
            context.abort(grpc.StatusCode.UNAVAILABLE, "outcomes cannot be taken now; report it again later")
        self.metrics.outcomes.labels(events_pb2.AdEventKind.Name(event.kind)).inc()
        return pb.ReportOutcomeResponse(event_id=event.event_id)

    def _answer(
        self, requests: Sequence[pb.DecideRequest], questions: Sequence[Question], context: grpc.ServicerContext
    ) -> list[pb.DecideResponse]:
        with self.metrics.in_progress.track_inprogress():
            answers = self._engine.decide(questions, _remaining_seconds(context))
        return [self._respond(request, answer) for request, answer in zip(requests, answers, strict=True)]

    def _respond(self, request: pb.DecideRequest, answer: Answer) -> pb.DecideResponse:
        response = to_response(answer, self._tokens)
        self._decision_log.append(request, response, answer)
        self._counter(answer.reason, answer.facts.rung).inc()
        if response.HasField("feature_age_ms"):
            self.metrics.feature_age.observe(response.feature_age_ms / 1000)
        return response


def _counters(metrics: DecisionMetrics) -> Callable[[Reason, Rung], Counter]:
    """The counter of each kind of answer; kept, because finding one by its labels costs as much as a rule."""

    @functools.cache
    def counter(reason: Reason, rung: Rung) -> Counter:
        return metrics.decisions.labels(reason.name.lower(), rung.name.lower())

    return counter


def _remaining_seconds(context: Any) -> float:
    remaining: float | None = context.time_remaining()
    return NO_DEADLINE_SECONDS if remaining is None else remaining
