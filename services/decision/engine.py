"""Decisions, batch first: one Redis read, one ONNX run, then the policy for each request. Knows no gRPC and no protobuf."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple, Protocol

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


class Question(NamedTuple):
    """One checked request."""

    request_id: str
    customer_id: int
    campaign: Campaign


class Answer(NamedTuple):
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


_Answer = Callable[[Sequence[Question], float], list[Answer]]


class Listeners(Protocol):
    """Where listeners are read. Raises `ListenersUnavailable` within the timeout; never takes longer than
    `patience_seconds`."""

    @property
    def patience_seconds(self) -> float: ...

    def read(self, customer_ids: Sequence[int], timeout_seconds: float) -> list[Listener]: ...


class Ledger(Protocol):
    """Where contacts are reserved. Raises `LedgerUnavailable` within the timeout."""

    def reserve(
        self, requests: Sequence[ReservationRequest], timeout_seconds: float | None = None
    ) -> list[Reservation]: ...


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
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        """`reserve_seconds` of every deadline are kept for the way back; `seconds` is a monotonic clock."""
        self._listeners = listeners
        self._ledger = ledger
        self._champion = champion
        self._now_ms = now_ms
        self._reserve_seconds = reserve_seconds
        self._seconds = seconds

    def decide(self, questions: Sequence[Question], remaining_seconds: Sequence[float]) -> list[Answer]:
        """One answer per question, in order, within what remains of its deadline. A `SHOW` has its contact reserved."""
        return self._in_time(questions, remaining_seconds, self._decide)

    def judge(self, questions: Sequence[Question], remaining_seconds: Sequence[float]) -> list[Answer]:
        """What would be answered, with nothing reserved."""
        return self._in_time(questions, remaining_seconds, self._judge)

    def _in_time(
        self, questions: Sequence[Question], remaining_seconds: Sequence[float], answer: _Answer
    ) -> list[Answer]:
        """All at once where everybody has the patience for a slow Redis; else those in a hurry first and by themselves, so that
        neither do they wait for the others nor do the others lose their answer to a timeout as short as theirs."""
        budgets = [seconds - self._reserve_seconds for seconds in remaining_seconds]
        if min(budgets, default=0.0) >= self._listeners.patience_seconds:
            return answer(questions, min(budgets))
        began = self._seconds()
        answers: dict[int, Answer] = {}
        for group in _by_patience(budgets, self._listeners.patience_seconds):
            budget_seconds = min(budgets[place] for place in group) - (self._seconds() - began)
            answers.update(zip(group, answer([questions[place] for place in group], budget_seconds), strict=True))
        return [answers[place] for place in range(len(questions))]

    def _decide(self, questions: Sequence[Question], budget_seconds: float) -> list[Answer]:
        began = self._seconds()
        answers = self._judge(questions, budget_seconds)
        shown = [answer for answer in answers if answer.show]
        if not shown:
            return answers
        left_seconds = budget_seconds - (self._seconds() - began)
        try:
            if left_seconds <= 0:
                raise LedgerUnavailable("no time is left")
            reservations = self._ledger.reserve([_reservation(answer) for answer in shown], left_seconds)
        except LedgerUnavailable:
            return [_unreserved(answer) if answer.show else answer for answer in answers]
        results = iter(reservations)
        return [_after(answer, next(results)) if answer.show else answer for answer in answers]

    def _judge(self, questions: Sequence[Question], budget_seconds: float) -> list[Answer]:
        now_ms = self._now_ms()
        if budget_seconds <= 0:
            return _unread(questions, Rung.NO_TIME, now_ms)
        try:
            listeners = self._listeners.read([question.customer_id for question in questions], budget_seconds)
        except ListenersUnavailable:
            return _unread(questions, Rung.NO_FEATURES, now_ms)
        serving = self._champion.serving
        scores = _scores(listeners, serving)
        return [
            _judged(question, listener, score, serving, now_ms)
            for question, listener, score in zip(questions, listeners, scores, strict=True)
        ]


def _by_patience(budgets: Sequence[float], patience_seconds: float) -> Iterator[list[int]]:
    """The places of those without time, of those with less than a slow Redis may take, and of the rest; none empty."""
    edges = (-math.inf, 0.0, patience_seconds, math.inf)
    for low, high in pairwise(edges):
        group = [place for place, budget in enumerate(budgets) if low < budget <= high]
        if group:
            yield group


def _judged(
    question: Question, listener: Listener, score: float | None, serving: Serving | None, now_ms: int
) -> Answer:
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
    return answer._replace(reason=Reason.UNAVAILABLE, facts=answer.facts._replace(rung=Rung.NO_RESERVATION))


def _after(answer: Answer, reservation: Reservation) -> Answer:
    refused = _REFUSED.get(reservation)
    return answer if refused is None else answer._replace(reason=refused)
