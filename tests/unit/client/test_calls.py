"""What both clients make of answers and errors, and what they tell the player's metrics; on connections without sockets."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest

from interlude.client import AsyncDecisionClient, Decision, Device, Hedging, Outcome
from interlude.v1 import decision_pb2 as pb
from tests.clients import KINDS, Client, connect_with
from tests.unit.client.fakes import OFFER, Copy, FakeMethod, Refused, channel_of

_SHOWN = Decision(show=True, reason="SHOW", request_id="r", outcome_token=b"t")
_EAGER = Hedging(samples_min=20, share=0.5)
_DEADLINE_MS = 5000
_LATE = Refused(grpc.StatusCode.DEADLINE_EXCEEDED)
_BUSY = Refused(grpc.StatusCode.RESOURCE_EXHAUSTED)

Make = Callable[..., tuple[Client, FakeMethod]]


@pytest.fixture(params=KINDS)
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    """A client, and the method that it calls."""
    with asyncio.Runner() as runner:
        connect = connect_with(request.param, runner)

        def make_one(script: Callable[[int, Copy], Any], **options: Any) -> tuple[Client, FakeMethod]:
            channel = channel_of(request.param, script)
            return connect("", channel=channel, deadline_ms=_DEADLINE_MS, **options), channel.method

        yield make_one


def test_a_question_is_asked_once_and_has_the_deadline(make: Make) -> None:
    client, method = make(lambda *_: OFFER)
    assert client.decide(7, next_track_id=8, campaign_id="c", request_id="r", device=Device.MOBILE).show
    (copy,) = method.copies
    assert copy.request == pb.DecideRequest(
        request_id="r", customer_id=7, next_track_id=8, device="DEVICE_MOBILE", campaign_id="c"
    )
    assert copy.timeout_seconds == _DEADLINE_MS / 1000


@pytest.mark.parametrize(
    ("failure", "error"),
    [(_BUSY, "RESOURCE_EXHAUSTED"), (ValueError("closed"), "UNKNOWN"), (grpc.aio.UsageError("closed"), "UNKNOWN")],
)
def test_any_failure_means_no_ad(make: Make, failure: Exception, error: str) -> None:
    client, _ = make(lambda *_: failure)
    expected = Decision(show=False, reason="NOT_ASKED", request_id="r", degraded=True, error=error)
    assert client.decide(1, request_id="r") == expected
    assert not client.report(_SHOWN, Outcome.CLICK)


@pytest.mark.parametrize("customer_id", ["42", 2**63, 1.5])
def test_what_is_no_customer_means_no_ad(make: Make, customer_id: Any) -> None:
    client, method = make(lambda *_: OFFER)
    assert client.decide(customer_id).reason == "NOT_ASKED"
    assert method.copies == []


def test_the_observer_hears_of_every_call(make: Make) -> None:
    calls: list[tuple[str, str, float, bool]] = []
    endings = [OFFER, _LATE, pb.ReportOutcomeResponse(), _BUSY]
    client, _ = make(lambda nth, _: endings[nth], observer=lambda *call: calls.append(call))
    assert client.decide(1).show
    assert not client.decide(1).show
    assert not client.decide(2**63).show
    assert client.report(_SHOWN, Outcome.CLICK)
    assert not client.report(_SHOWN, Outcome.CLICK)
    assert [(method, status, hedged) for method, status, _, hedged in calls] == [
        ("Decide", "OK", False),
        ("Decide", "DEADLINE_EXCEEDED", False),
        ("Decide", "UNKNOWN", False),
        ("ReportOutcome", "OK", False),
        ("ReportOutcome", "RESOURCE_EXHAUSTED", False),
    ]
    assert all(0 <= seconds < 5 for _, _, seconds, _ in calls)


def test_an_observer_that_fails_costs_no_answer(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    client, _ = make(lambda *_: OFFER, observer=lambda *_: 1 / 0)
    assert client.decide(1).show
    assert [record.getMessage() for record in caplog.records] == ["the observer of calls failed"]


def _after_quick(count: int, *endings: Any) -> Callable[[int, Copy], Any]:
    """The first copies are answered at once, the next ones as given."""
    return lambda nth, _: OFFER if nth < count else endings[nth - count]


def _ask_quickly(client: Client) -> None:
    for _ in range(_EAGER.samples_min):
        assert client.decide(1).show


def test_a_slow_question_is_asked_twice_and_the_first_answer_wins(make: Make) -> None:
    calls: list[tuple[Any, ...]] = []
    client, method = make(
        _after_quick(20, None, OFFER), hedging=_EAGER, observer=lambda *call: calls.append((call[1], call[3]))
    )
    _ask_quickly(client)
    assert client.decide(2, request_id="r").show
    slow, second = method.copies[20:]
    assert slow.request == second.request
    assert slow.request.request_id == "r"
    assert slow.cancelled_by_client
    assert not second.cancelled_by_client
    assert second.timeout_seconds < slow.timeout_seconds
    assert calls == [("OK", False)] * 20 + [("OK", True)]


def test_the_first_copy_may_still_win(make: Make) -> None:
    copies: list[Copy] = []

    def script(nth: int, copy: Copy) -> Any:
        copies.append(copy)
        if nth == 21:
            copies[20].end(OFFER)
        return OFFER if nth < 20 else None

    client, _ = make(script, hedging=_EAGER)
    _ask_quickly(client)
    assert client.decide(2).show
    assert copies[21].cancelled_by_client


def test_an_error_of_one_copy_waits_for_the_other(make: Make) -> None:
    copies: list[Copy] = []

    def script(nth: int, copy: Copy) -> Any:
        copies.append(copy)
        if nth == 21:
            copy.end(_BUSY)
            copies[20].end(OFFER)
        return OFFER if nth < 20 else None

    client, _ = make(script, hedging=_EAGER)
    _ask_quickly(client)
    assert client.decide(2).show


def test_two_errors_mean_no_ad(make: Make) -> None:
    copies: list[Copy] = []

    def script(nth: int, copy: Copy) -> Any:
        copies.append(copy)
        if nth == 21:
            copy.end(_BUSY)
            copies[20].end(_LATE)
        return OFFER if nth < 20 else None

    client, _ = make(script, hedging=_EAGER)
    _ask_quickly(client)
    decision = client.decide(2)
    assert (decision.show, decision.reason) == (False, "NOT_ASKED")
    assert decision.error in ("DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED")


@pytest.mark.parametrize("failure", [_BUSY, _LATE, Refused(grpc.StatusCode.UNAVAILABLE)])
def test_an_error_before_the_delay_is_not_asked_again(make: Make, failure: Exception) -> None:
    client, method = make(_after_quick(20, failure), hedging=_EAGER)
    _ask_quickly(client)
    assert not client.decide(2).show
    assert len(method.copies) == 21


def test_cancelling_a_task_cancels_its_question() -> None:
    async def scenario() -> None:
        calls: list[str] = []
        channel: Any = channel_of("asyncio", lambda *_: None)
        client = AsyncDecisionClient("", channel=channel, observer=lambda *call: calls.append(call[1]))
        task = asyncio.create_task(client.decide(1))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert channel.method.copies[0].cancelled_by_client
        assert calls == ["CANCELLED"]

    asyncio.run(scenario())
