"""The edge: bytes in, bytes out, errors as status codes, a whole batch at once. Decides nothing itself and knows no transport."""

import functools
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol, TypeVar

import prometheus_client
import structlog
from google.protobuf.message import DecodeError, Message

from interlude.contacts.campaign import Campaigns
from interlude.v1 import decision_pb2 as pb
from interlude.v1 import events_pb2
from services.decision.answers import Answer, Question
from services.decision.decision_log import DecisionLog
from services.decision.engine import DecisionEngine
from services.decision.explanation import to_explanation
from services.decision.methods import METHODS, Code, Reply, Status, path_of
from services.decision.metrics import DecisionMetrics
from services.decision.outcomes import OutcomeTaker, to_ad_event
from services.decision.policy import Reason, Rung
from services.decision.requests import InvalidRequest, to_explained, to_question, to_questions
from services.decision.responses import to_batch_reply, to_decision, to_reply, to_response
from services.decision.tokens import InvalidToken, TokenIssuer

log = structlog.get_logger()

MessageT = TypeVar("MessageT", bound=Message)
_Batch = Callable[[Sequence[bytes], Sequence[float]], list[Reply]]
_DECIDE: Final = "Decide"
_REPORT_OUTCOME: Final = "ReportOutcome"
_NO_ROOM: Final = Status(Code.UNAVAILABLE, "outcomes cannot be taken now; report it again later")


class CurrentCampaigns(Protocol):
    """The campaigns in force. Read once per batch: the next batch may see others."""

    @property
    def current(self) -> Campaigns: ...


class DecisionHandler:
    """`interlude.v1.DecisionService`, as a `Handle`. Safe between threads."""

    def __init__(
        self,
        engine: DecisionEngine,
        campaigns: CurrentCampaigns,
        tokens: TokenIssuer,
        decision_log: DecisionLog,
        outcomes: OutcomeTaker,
        metrics: DecisionMetrics,
        *,
        now_ms: Callable[[], int],
    ) -> None:
        self._engine = engine
        self._campaigns = campaigns
        self._tokens = tokens
        self._decision_log = decision_log
        self._outcomes = outcomes
        self._metrics = metrics
        self._now_ms = now_ms
        self._counter = _counters(metrics)
        self._seconds = {path_of(name): metrics.seconds.labels(name) for name in METHODS}
        self._batches: dict[str, _Batch] = {
            path_of(_DECIDE): self._together(_DECIDE, self._decide),
            path_of("DecideBatch"): self._each("DecideBatch", self._decide_batch),
            path_of("Explain"): self._each("Explain", self._explain),
            path_of(_REPORT_OUTCOME): self._together(_REPORT_OUTCOME, self._report_outcomes),
        }

    def handle(self, path: str, bodies: Sequence[bytes], remaining_seconds: Sequence[float]) -> list[Reply]:
        """One reply per body, in order; each has taken as long as its batch."""
        started = time.perf_counter()
        replies = self._batches[path](bodies, remaining_seconds)
        seconds = time.perf_counter() - started
        self._metrics.batch_requests.observe(len(bodies))
        self._seconds[path].observe_alike(seconds, len(bodies))
        return replies

    def _decide(self, bodies: Sequence[bytes], remaining_seconds: Sequence[float]) -> list[Reply]:
        """`Decide`: one batch for the engine."""
        campaigns = self._campaigns.current
        replies: list[Reply] = [b""] * len(bodies)
        places: list[int] = []
        questions: list[Question] = []
        for place, body in enumerate(bodies):
            try:
                questions.append(to_question(_parse(pb.DecideRequest, body), campaigns))
                places.append(place)
            except InvalidRequest as error:
                replies[place] = self._refused(_DECIDE, error)
        if questions:
            answers = self._engine.decide(questions, [remaining_seconds[place] for place in places])
            for place, reply in zip(places, self._reply([bodies[place] for place in places], answers), strict=True):
                replies[place] = reply
        return replies

    def _decide_batch(self, body: bytes, remaining_seconds: float) -> bytes:
        """`DecideBatch`: up to `BATCH_LIMIT` requests of one caller, answered together."""
        request = _parse(pb.DecideBatchRequest, body)
        questions = to_questions(request, self._campaigns.current)
        answers = self._engine.decide(questions, [remaining_seconds] * len(questions))
        return to_batch_reply(self._reply([each.SerializeToString() for each in request.requests], answers))

    def _explain(self, body: bytes, remaining_seconds: float) -> bytes:
        """`Explain`: the same rules on the same facts, with nothing reserved or logged."""
        question = to_explained(_parse(pb.ExplainRequest, body), self._campaigns.current)
        answer = self._engine.judge([question], [remaining_seconds])[0]
        response = to_response(answer)
        if not question.request_id:
            response.ClearField("decision_id")  # nobody asked: there is no decision
        return to_explanation(answer.facts, response).SerializeToString()

    def _report_outcomes(self, bodies: Sequence[bytes], _remaining_seconds: Sequence[float]) -> list[Reply]:
        """`ReportOutcome`: queue the ad events; UNAVAILABLE when there is no room, and the caller may try again."""
        replies: list[Reply] = [b""] * len(bodies)
        events: dict[int, events_pb2.AdEvent] = {}
        for place, body in enumerate(bodies):
            try:
                events[place] = to_ad_event(_parse(pb.ReportOutcomeRequest, body), self._tokens, self._now_ms())
            except InvalidToken as error:
                self._metrics.outcomes.refused_tokens.labels(error.fault).inc()
                replies[place] = self._refused(_REPORT_OUTCOME, InvalidRequest("outcome_token", error.problem))
            except InvalidRequest as error:
                replies[place] = self._refused(_REPORT_OUTCOME, error)
        for (place, event), is_taken in zip(events.items(), self._outcomes.take(list(events.values())), strict=True):
            response = pb.ReportOutcomeResponse(event_id=event.event_id)
            replies[place] = response.SerializeToString() if is_taken else _NO_ROOM
        return replies

    def _together(self, method: str, answer: _Batch) -> _Batch:
        """Batches of a method that answers all calls at once."""

        def reply(bodies: Sequence[bytes], remaining_seconds: Sequence[float]) -> list[Reply]:
            try:
                return answer(bodies, remaining_seconds)
            except Exception:
                if len(bodies) == 1:
                    return [self._internal(method)]
            # Whatever one call broke must not end the others. Asking again is safe: contacts and outcomes are taken once.
            return [reply([body], [left])[0] for body, left in zip(bodies, remaining_seconds, strict=True)]

        return reply

    def _each(self, method: str, answer: Callable[[bytes, float], bytes]) -> _Batch:
        """Batches of a method whose calls have nothing in common: one after the other, each guarded."""

        def reply(body: bytes, remaining_seconds: float) -> Reply:
            try:
                return answer(body, remaining_seconds)
            except InvalidRequest as error:
                return self._refused(method, error)
            except Exception:
                return self._internal(method)

        return lambda bodies, left: [reply(body, seconds) for body, seconds in zip(bodies, left, strict=True)]

    def _reply(self, requests: Iterable[bytes], answers: Sequence[Answer]) -> list[bytes]:
        """The serialised response to each serialised request; what was decided is counted and on its way to the log."""
        decisions = [to_decision(request, answer) for request, answer in zip(requests, answers, strict=True)]
        self._decision_log.append(decisions)
        for kind, count in Counter([(answer.reason, answer.facts.rung) for answer in answers]).items():
            self._counter(*kind).inc(count)
        ages_ms = [decision.feature_age_ms for decision in decisions if decision.feature_age_ms is not None]
        self._metrics.feature_age.observe_all([age_ms / 1000 for age_ms in ages_ms])
        return [to_reply(decision, self._tokens) for decision in decisions]

    def _refused(self, method: str, error: InvalidRequest) -> Status:
        self._metrics.refused.labels(method, error.field.rpartition(".")[2]).inc()
        return Status(Code.INVALID_ARGUMENT, str(error))

    def _internal(self, method: str) -> Status:
        """The status of an error of ours, for use while it is handled: an id, and nothing of what went wrong."""
        error_id = secrets.token_hex(6)
        self._metrics.errors.labels(method).inc()
        log.exception("internal error", error_id=error_id, method=method)
        return Status(Code.INTERNAL, f"internal error {error_id}")


def _parse(message_type: type[MessageT], body: bytes) -> MessageT:
    try:
        return message_type.FromString(body)
    except DecodeError as error:
        raise InvalidRequest("request", "is not a binary message of this method") from error


def _counters(metrics: DecisionMetrics) -> Callable[[Reason, Rung], prometheus_client.Counter]:
    """The counter of each kind of answer; kept, because finding one by its labels costs as much as a rule."""

    @functools.cache
    def counter(reason: Reason, rung: Rung) -> prometheus_client.Counter:
        return metrics.decisions.labels(reason.name.lower(), rung.name.lower())

    return counter
