"""Decisions, batch first: one Redis read, one ONNX run, then the policy for each request. Knows no gRPC and no protobuf."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np

from interlude.contacts.campaign import Campaign
from interlude.contacts.caps import NO_USE, Channel, cap_use
from interlude.contacts.ledger import LedgerUnavailable, Reservation, ReservationRequest
from interlude.features.schema import FEATURES
from interlude.features.state import hash_id
from services.decision.champion import Serving
from services.decision.listeners import Listener, ListenersUnavailable
from services.decision.policy import Facts, Reason, Rung, decide

_REFUSED: Final[dict[Reservation, Reason]] = {
    Reservation.FREQUENCY_CAP: Reason.FREQUENCY_CAP,
    Reservation.MINIMUM_GAP: Reason.MINIMUM_GAP,
}


@dataclass(frozen=True, slots=True)
class Question:
    """One checked request."""

    request_id: str
    customer_id: int
    campaign: Campaign


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered, and the facts it was made from. `decided_at_ms` is epoch ms."""

    question: Question
    reason: Reason
    facts: Facts
    model_version: str
    decided_at_ms: int

    @property
    def show(self) -> bool:
        """Whether the offer is shown now."""
        return self.reason is Reason.SHOW


class Listeners(Protocol):
    """Where listeners are read. Raises `ListenersUnavailable` within the timeout."""

    def read(self, customer_ids: Sequence[int], timeout_seconds: float) -> list[Listener]: ...


class Ledger(Protocol):
    """Where contacts are reserved. Raises `LedgerUnavailable`."""

    def reserve(self, requests: Sequence[ReservationRequest]) -> list[Reservation]: ...


class Champion(Protocol):
    """The model to ask, None while there is none."""

    @property
    def serving(self) -> Serving | None: ...


class DecisionEngine:
    """Answers batches of questions. Never raises for what is wrong inside: the answer says so by its rung."""

    def __init__(
        self,
        listeners: Listeners,
        ledger: Ledger,
        champion: Champion,
        *,
        now_ms: Callable[[], int],
        reserve_seconds: float,
    ) -> None:
        """`reserve_seconds` of every deadline are kept for the way back."""
        self._listeners = listeners
        self._ledger = ledger
        self._champion = champion
        self._now_ms = now_ms
        self._reserve_seconds = reserve_seconds

    def decide(self, questions: Sequence[Question], remaining_seconds: float) -> list[Answer]:
        """One answer per question, in order. A `SHOW` has its contact reserved in the ledger."""
        return self._reserve(self.judge(questions, remaining_seconds))

    def judge(self, questions: Sequence[Question], remaining_seconds: float) -> list[Answer]:
        """What would be answered, with nothing reserved."""
        now_ms = self._now_ms()
        budget_seconds = remaining_seconds - self._reserve_seconds
        if budget_seconds <= 0:
            return _unread(questions, Rung.NO_TIME, now_ms)
        try:
            listeners = self._listeners.read([question.customer_id for question in questions], budget_seconds)
        except ListenersUnavailable:
            return _unread(questions, Rung.NO_FEATURES, now_ms)
        serving = self._champion.serving
        scores = _scores(listeners, serving)
        return [
            _judge(question, listener, score, serving, now_ms)
            for question, listener, score in zip(questions, listeners, scores, strict=True)
        ]

    def _reserve(self, answers: list[Answer]) -> list[Answer]:
        shown = [answer for answer in answers if answer.show]
        if not shown:
            return answers
        try:
            reservations = self._ledger.reserve([_reservation(answer) for answer in shown])
        except LedgerUnavailable:
            return [_unreserved(answer) if answer.show else answer for answer in answers]
        results = iter(reservations)
        return [_after(answer, next(results)) if answer.show else answer for answer in answers]


def _judge(question: Question, listener: Listener, score: float | None, serving: Serving | None, now_ms: int) -> Answer:
    contacts = listener.contacts
    facts = Facts(
        question.campaign,
        Rung.NO_MODEL if serving is None else Rung.FULL,
        listener.features,
        cap_use(contacts, now_ms, request_hash=hash_id(question.request_id)) if contacts else NO_USE,
        score,
        0.0 if serving is None else serving.threshold,
    )
    return Answer(question, decide(facts), facts, "" if serving is None else serving.version, now_ms)


def _scores(listeners: Sequence[Listener], serving: Serving | None) -> list[float | None]:
    """One score per listener, None without features or model, from one run of the model."""
    vectors = [listener.features.vector for listener in listeners if listener.features is not None]
    if serving is None or not vectors:
        return [None] * len(listeners)
    matrix = np.frombuffer(b"".join(vectors), dtype="<f4").reshape(len(vectors), len(FEATURES))
    scores = iter(serving.scorer.score_vectors(matrix).tolist())
    return [None if listener.features is None else next(scores) for listener in listeners]


def _unread(questions: Sequence[Question], rung: Rung, now_ms: int) -> list[Answer]:
    answers = []
    for question in questions:
        facts = Facts(question.campaign, rung=rung)
        answers.append(Answer(question, decide(facts), facts, "", now_ms))
    return answers


def _reservation(answer: Answer) -> ReservationRequest:
    question = answer.question
    return ReservationRequest(
        question.customer_id, hash_id(question.request_id), question.campaign, Channel.PLAYER, answer.decided_at_ms
    )


def _unreserved(answer: Answer) -> Answer:
    return replace(answer, reason=Reason.UNAVAILABLE, facts=replace(answer.facts, rung=Rung.NO_RESERVATION))


def _after(answer: Answer, reservation: Reservation) -> Answer:
    refused = _REFUSED.get(reservation)
    return answer if refused is None else replace(answer, reason=refused)
