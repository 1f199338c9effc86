"""Which outcomes were reported before: one suite for Redis and for what stands in for it."""

from collections.abc import Iterator
from typing import Final

import pytest
import redis

from devstack.stack import Part, Stack
from interlude.servicekit.redis import ConnectionPerThread
from interlude.v1 import events_pb2
from services.decision.outcomes import Reported
from services.decision.reported import ReportedOutcomes, ReportsUnavailable, reported_key
from services.decision.tokens import VALID_MS
from tests.contract.conftest import connections_like
from tests.contract.fakes import FakeReported

_CLICK: Final = events_pb2.AD_EVENT_KIND_CLICK
_IMPRESSION: Final = events_pb2.AD_EVENT_KIND_IMPRESSION


def _event(
    decision_id: str = "ab" * 16, kind: events_pb2.AdEventKind = _CLICK, customer_id: int = 5
) -> events_pb2.AdEvent:
    return events_pb2.AdEvent(customer_id=customer_id, decision_id=decision_id, kind=kind)


@pytest.fixture(params=["fake", "redis"])
def reported(request: pytest.FixtureRequest) -> Iterator[Reported]:
    """Both in turn, nothing reported yet."""
    if request.param == "fake":
        yield FakeReported()
    else:
        yield ReportedOutcomes(connections_like(request.getfixturevalue("client")))


def test_each_kind_of_a_decision_is_first_once(reported: Reported) -> None:
    assert reported.claim([_event(), _event(kind=_IMPRESSION)]) == [True, True]
    assert reported.claim([_event(kind=_IMPRESSION), _event(), _event("cd" * 16)]) == [False, False, True]


def test_the_second_of_two_in_one_batch_is_not_the_first(reported: Reported) -> None:
    assert reported.claim([_event(), _event(), _event(customer_id=6)]) == [True, False, True]


def test_what_is_released_may_be_reported_again(reported: Reported) -> None:
    reported.claim([_event(), _event(kind=_IMPRESSION)])
    reported.release([_event()])
    assert reported.claim([_event(), _event(kind=_IMPRESSION)]) == [True, False]


def test_a_report_is_remembered_as_long_as_its_token_is_good(client: "redis.Redis") -> None:
    ReportedOutcomes(connections_like(client)).claim([_event()])
    assert VALID_MS - 60_000 < client.pttl(reported_key(_event())) <= VALID_MS


def test_a_redis_that_does_not_answer_is_no_answer(redis_stack: Stack, client: "redis.Redis") -> None:
    reported = ReportedOutcomes(ConnectionPerThread(redis_stack.redis, timeout_ms=50))
    assert reported.claim([_event()]) == [True]
    redis_stack.pause(Part.REDIS)
    try:
        with pytest.raises(ReportsUnavailable, match="no answer"):
            reported.claim([_event()])
        reported.release([_event()])
    finally:
        redis_stack.resume(Part.REDIS)
    assert client.ping()


def test_a_refused_command_is_no_answer(client: "redis.Redis") -> None:
    client.config_set("maxmemory", 1)
    try:
        with pytest.raises(ReportsUnavailable, match="maxmemory"):
            ReportedOutcomes(connections_like(client)).claim([_event()])
    finally:
        client.config_set("maxmemory", 0)
