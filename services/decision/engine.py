"""Decisions, batch first: one Redis read, one ONNX run, then the policy for each request. Knows no gRPC and no protobuf."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Protocol

from services.decision.answers import Answer, Question, ReservationState, as_asked, facts_of, new_tuple
from services.decision.champion import Roster
from services.decision.listeners import Listener, ListenersUnavailable
from services.decision.metrics import UNOBSERVED, TrialObserver
from services.decision.policy import SHOWN, Facts, Reason, Rung, decide
from services.decision.reserving import Reserver
from services.decision.scoring import score, takes_moment

_Answer = Callable[[Sequence[Question], float], list[Answer]]


class Listeners(Protocol):
    """Where listeners are read. Raises `ListenersUnavailable` within the timeout; never takes longer than
    `patience_seconds`."""

    @property
    def patience_seconds(self) -> float: ...

    def read(self, customer_ids: Sequence[int], timeout_seconds: float) -> list[Listener]: ...


class Models(Protocol):
    """The models to ask: `ChampionWatcher`."""

    @property
    def roster(self) -> Roster: ...


class DecisionEngine:
    """Answers batches of questions. Never raises for what is wrong inside: the answer says so by its rung."""

    def __init__(
        self,
        listeners: Listeners,
        reserver: Reserver,
        models: Models,
        *,
        now_ms: Callable[[], int],
        reserve_seconds: float,
        seconds: Callable[[], float] = time.monotonic,
        observer: TrialObserver = UNOBSERVED,
    ) -> None:
        """`reserve_seconds` of every deadline are kept for the way back; `seconds` is a monotonic clock; `observer` is told what a
        candidate does."""
        self._listeners = listeners
        self._reserver = reserver
        self._models = models
        self._observer = observer
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
        places = [place for place, answer in enumerate(answers) if answer.reason in _RESERVED]
        if places:
            self._reserver.reserve(answers, places, budget_seconds - (self._seconds() - began))
        return answers

    def _judge(self, questions: Sequence[Question], budget_seconds: float) -> list[Answer]:
        now_ms = self._now_ms()
        if budget_seconds <= 0:
            return _unread(questions, Rung.NO_TIME, now_ms)
        try:
            listeners = self._listeners.read([question.customer_id for question in questions], budget_seconds)
        except ListenersUnavailable:
            return _unread(questions, Rung.NO_FEATURES, now_ms)
        roster = self._models.roster
        if takes_moment(roster):
            listeners = [
                listener._replace(features=as_asked(listener.features, question, now_ms, takes_moment=True))
                for question, listener in zip(questions, listeners, strict=True)
            ]
        scores = score([question.customer_id for question in questions], listeners, roster, self._observer.compared)
        answers = []
        for question, listener, scored in zip(questions, listeners, scores, strict=True):
            facts = facts_of(
                question,
                listener.features,
                listener.contacts,
                now_ms=now_ms,
                score=scored.probability,
                model_threshold=scored.threshold,
                budget=self._reserver.budget_of(question.campaign, now_ms),
            )
            reason, propensity = decide(facts)
            values = (listener.value, listener.contacts, ReservationState.NOT_ASKED)
            answers.append(new_tuple(Answer, (question, reason, facts, propensity, scored.version, now_ms, *values)))
        by_candidate = [answer.show for answer, scored in zip(answers, scores, strict=True) if scored.by_candidate]
        if by_candidate:
            self._observer.decided(by_candidate)
        return answers


_RESERVED = SHOWN | {Reason.HOLDOUT}
"""Answers that make a contact: a withheld offer uses up the caps as a shown one does, so that both groups stay comparable."""


def _by_patience(budgets: Sequence[float], patience_seconds: float) -> Iterator[list[int]]:
    """The places of those without time, of those with less than a slow Redis may take, and of the rest; none empty."""
    edges = (-math.inf, 0.0, patience_seconds, math.inf)
    for low, high in pairwise(edges):
        group = [place for place, budget in enumerate(budgets) if low < budget <= high]
        if group:
            yield group


def _unread(questions: Sequence[Question], rung: Rung, now_ms: int) -> list[Answer]:
    answers = []
    for question in questions:
        facts = Facts(question.campaign, now_ms, rung)
        reason, propensity = decide(facts)
        answers.append(Answer(question, reason, facts, propensity, "", now_ms))
    return answers
