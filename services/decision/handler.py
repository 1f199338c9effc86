"""The edge: bytes in, bytes out, errors as status codes, a whole batch at once. Decides nothing itself and knows no transport."""

import functools
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import structlog
from google.protobuf.message import DecodeError, Message
from prometheus_client import Counter

from interlude.contacts.campaign import Campaigns
from interlude.v1 import decision_pb2 as pb
from interlude.v1 import events_pb2
from services.decision.decision_log import DecisionLog
from services.decision.engine import Answer, DecisionEngine, Question
from services.decision.journal import Journal
from services.decision.methods import METHODS, Code, Reply, Status, path_of
from services.decision.metrics import DecisionMetrics
from services.decision.outcomes import to_ad_event
from services.decision.policy import Reason, Rung
from services.decision.requests import InvalidRequest, to_explained, to_question, to_questions
from services.decision.responses import feature_age_ms, to_explanation, to_response
from services.decision.tokens import TokenIssuer

log = structlog.get_logger()

MessageT = TypeVar("MessageT", bound=Message)
_Batch = Callable[[Sequence[bytes], Sequence[float]], list[Reply]]
_DECIDE: Final = "Decide"


class _NoRoom(Exception):
    """An outcome that cannot be taken now."""


class DecisionHandler:
    """`interlude.v1.DecisionService`, as a `Handle`. Safe between threads."""

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
        self._engine = engine
        self._campaigns = campaigns
        self._tokens = tokens
        self._decision_log = decision_log
        self._journal = journal
        self._metrics = metrics
        self._now_ms = now_ms
        self._counter = _counters(metrics)
        self._seconds = {path_of(name): metrics.seconds.labels(name) for name in METHODS}
        self._batches: dict[str, _Batch] = {
            path_of(_DECIDE): self._decide,
            path_of("DecideBatch"): self._each("DecideBatch", self._decide_batch),
            path_of("Explain"): self._each("Explain", self._explain),
            path_of("ReportOutcome"): self._each("ReportOutcome", self._report_outcome),
        }

    def handle(self, path: str, bodies: Sequence[bytes], remaining_seconds: Sequence[float]) -> list[Reply]:
        """One reply per body, in order; each has taken as long as its batch."""
        started = time.perf_counter()
        replies = self._batches[path](bodies, remaining_seconds)
        seconds = time.perf_counter() - started
        self._metrics.batch_requests.observe(len(bodies))
        self._seconds[path].observe_all([seconds] * len(bodies))
        return replies

    def _decide(self, bodies: Sequence[bytes], remaining_seconds: Sequence[float]) -> list[Reply]:
        """`Decide`: one batch for the engine."""
        try:
            return self._decide_together(bodies, remaining_seconds)
        except Exception:
            if len(bodies) == 1:
                return [self._internal(_DECIDE)]
        # Whatever one request broke must not end the others. Asking again is safe: a reservation knows its request.
        return [self._decide([body], [left])[0] for body, left in zip(bodies, remaining_seconds, strict=True)]

    def _decide_together(self, bodies: Sequence[bytes], remaining_seconds: Sequence[float]) -> list[Reply]:
        replies: list[Reply] = [b""] * len(bodies)
        places: list[int] = []
        requests: list[pb.DecideRequest] = []
        questions: list[Question] = []
        left: list[float] = []
        for place, body in enumerate(bodies):
            try:
                request = _parse(pb.DecideRequest, body)
                questions.append(to_question(request, self._campaigns))
            except InvalidRequest as error:
                replies[place] = self._refused(_DECIDE, error)
            else:
                places.append(place)
                requests.append(request)
                left.append(remaining_seconds[place])
        answers = self._engine.decide(questions, left) if questions else []
        for place, response in zip(places, self._respond(requests, answers), strict=True):
            replies[place] = response.SerializeToString()
        return replies

    def _decide_batch(self, body: bytes, remaining_seconds: float) -> Message:
        """`DecideBatch`: up to `BATCH_LIMIT` requests of one caller, answered together."""
        request = _parse(pb.DecideBatchRequest, body)
        questions = to_questions(request, self._campaigns)
        answers = self._engine.decide(questions, [remaining_seconds] * len(questions))
        return pb.DecideBatchResponse(responses=self._respond(request.requests, answers))

    def _explain(self, body: bytes, remaining_seconds: float) -> Message:
        """`Explain`: the same rules on the same facts, with nothing reserved or logged."""
        question = to_explained(_parse(pb.ExplainRequest, body), self._campaigns)
        return to_explanation(self._engine.judge([question], [remaining_seconds])[0])

    def _report_outcome(self, body: bytes, _remaining_seconds: float) -> Message:
        """`ReportOutcome`: queue the ad event; UNAVAILABLE when there is no room, and the caller may try again."""
        event = to_ad_event(_parse(pb.ReportOutcomeRequest, body), self._tokens, self._now_ms())
        if not self._journal.report(event):
            raise _NoRoom
        self._metrics.outcomes.labels(events_pb2.AdEventKind.Name(event.kind)).inc()
        return pb.ReportOutcomeResponse(event_id=event.event_id)

    def _each(self, method: str, answer: Callable[[bytes, float], Message]) -> _Batch:
        """A batch of a method whose calls have nothing in common: one after the other, each guarded."""

        def reply(body: bytes, remaining_seconds: float) -> Reply:
            try:
                return answer(body, remaining_seconds).SerializeToString()
            except InvalidRequest as error:
                return self._refused(method, error)
            except _NoRoom:
                return Status(Code.UNAVAILABLE, "outcomes cannot be taken now; report it again later")
            except Exception:
                return self._internal(method)

        return lambda bodies, left: [reply(body, seconds) for body, seconds in zip(bodies, left, strict=True)]

    def _respond(self, requests: Sequence[pb.DecideRequest], answers: Sequence[Answer]) -> list[pb.DecideResponse]:
        responses = [to_response(answer, self._tokens) for answer in answers]
        for request, response, answer in zip(requests, responses, answers, strict=True):
            self._decision_log.append(request, response, answer)
        kinds = [(answer.reason, answer.facts.rung) for answer in answers]
        for kind in set(kinds):
            self._counter(*kind).inc(kinds.count(kind))
        ages_ms = [feature_age_ms(answer) for answer in answers]
        self._metrics.feature_age.observe_all([age_ms / 1000 for age_ms in ages_ms if age_ms is not None])
        return responses

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


def _counters(metrics: DecisionMetrics) -> Callable[[Reason, Rung], Counter]:
    """The counter of each kind of answer; kept, because finding one by its labels costs as much as a rule."""

    @functools.cache
    def counter(reason: Reason, rung: Rung) -> Counter:
        return metrics.decisions.labels(reason.name.lower(), rung.name.lower())

    return counter
