"""A client that does not ask a service for what it refuses."""

import random
from collections.abc import Iterator

import pytest

from interlude.client import Decision
from interlude.client.throttling import HeldBack, Throttle
from tests.unit.client.fakes import OFFER
from tests.unit.client.test_calls import _BUSY, Make, make  # noqa: F401  (a fixture)

_CAPACITY = 100.0
"""Answers in a step of `_Service`."""
_REFUSAL_COST = 0.47
"""Of the cost of an answer, as on grpcio: with it twice the capacity leaves 0.11 of it, which is what `make chaos` measured."""
_STEP_SECONDS = 0.1


class _Service:
    """Spends one unit on an answer, and nearly as much on a refusal. What comes beyond what it can answer it refuses."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._throttles = [Throttle(lambda: self.seconds, random.Random(number).random) for number in range(20)]

    def step(self, questions: int, *, throttled: bool) -> tuple[int, int]:
        """How many of `questions` were sent, and how many answered."""
        self.seconds += _STEP_SECONDS
        asking = [self._throttles[number % len(self._throttles)] for number in range(questions)]
        sent = [throttle for throttle in asking if not throttled or _is_sent(throttle)]
        spare = (_CAPACITY - _REFUSAL_COST * len(sent)) / (1 - _REFUSAL_COST)
        answered = max(0, min(len(sent), int(spare)))
        for place, throttle in enumerate(sent):
            throttle.ended("OK" if place < answered else "RESOURCE_EXHAUSTED")
        return len(sent), answered


def _is_sent(throttle: Throttle) -> bool:
    try:
        throttle.ask()
    except HeldBack:
        throttle.ended("RESOURCE_EXHAUSTED")
        return False
    return True


def _steps(service: _Service, questions: int, seconds: float, *, throttled: bool = True) -> Iterator[tuple[int, int]]:
    for _ in range(round(seconds / _STEP_SECONDS)):
        yield service.step(questions, throttled=throttled)


def test_a_service_asked_for_twice_what_it_can_answers_nearly_as_much_as_it_can() -> None:
    service = _Service()
    list(_steps(service, 200, 5))
    goodput = [answered for _, answered in _steps(service, 200, 20)]
    assert sum(goodput) / len(goodput) > 0.85 * _CAPACITY
    without = [answered for _, answered in _steps(_Service(), 200, 20, throttled=False)]
    assert 0.1 < without[-1] / _CAPACITY < 0.12


def test_all_is_asked_for_again_once_nothing_is_refused() -> None:
    service = _Service()
    list(_steps(service, 200, 10))
    list(_steps(service, 50, 5))
    assert all(sent == answered == 50 for sent, answered in _steps(service, 50, 5))


def test_nothing_is_held_back_while_nothing_is_refused() -> None:
    throttle = Throttle(chance=lambda: 0.0)
    for status in ("OK", "DEADLINE_EXCEEDED", "UNAVAILABLE", "INTERNAL", "UNKNOWN"):
        for _ in range(100):
            throttle.ask()
            throttle.ended(status)


@pytest.mark.parametrize("status", ["RESOURCE_EXHAUSTED", "CANCELLED"])
def test_a_long_silence_forgets_what_was_refused(status: str) -> None:
    now = 10.0
    throttle = Throttle(lambda: now, lambda: 0.0)
    for _ in range(10):
        throttle._turned().requests += 1
        throttle.ended(status)
    with pytest.raises(HeldBack):
        throttle.ask()
    now += 2.0
    throttle.ask()


def test_a_question_that_is_held_back_means_no_ad_and_is_not_sent(make: Make) -> None:  # noqa: F811
    calls: list[tuple[object, ...]] = []
    client, method = make(lambda *_: _BUSY, observer=lambda *call: calls.append(call))
    decisions = [client.decide(1, request_id="r") for _ in range(200)]
    refused = Decision(show=False, reason="NOT_ASKED", request_id="r", degraded=True, error="RESOURCE_EXHAUSTED")
    assert decisions == [refused] * 200
    assert 1 <= len(method.copies) < 100
    assert [call[1] for call in calls] == ["RESOURCE_EXHAUSTED"] * 200


def test_what_callers_do_wrong_holds_nobody_back(make: Make) -> None:  # noqa: F811
    client, _ = make(lambda *_: OFFER)
    assert not any(client.decide(2**63).show for _ in range(50))
    assert all(client.decide(1).show for _ in range(50))
