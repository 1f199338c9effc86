"""What callers get and what is logged: the bytes put together are the message built field by field."""

import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlude.contacts.budget import BudgetState
from interlude.contacts.campaign import Campaign
from interlude.contacts.caps import DAY_MS
from interlude.contacts.experiment import Assignment
from interlude.features.codec import HotFeatures
from interlude.features.schema import SCHEMA_VERSION, STATE_FEATURES
from interlude.v1 import decision_pb2 as pb
from services.decision.answers import Answer, Question, ReservationState
from services.decision.policy import SHOWN, Facts, Reason, Rung
from services.decision.responses import (
    LOGGED_AS_SENT_BYTES,
    Decision,
    decision_id,
    to_batch_reply,
    to_decision,
    to_log,
    to_reply,
    to_response,
)
from services.decision.tokens import Shown, TokenIssuer
from tests.unit.decision.decisions import NOW_MS, answer, decision

_TOKENS = TokenIssuer(bytes(32))
_VERSION = "0.1.0"
_FLOAT = st.floats(0, 1, width=32)
_VECTOR = struct.Struct(f"<{len(STATE_FEATURES)}f")

_LISTENER = st.builds(
    HotFeatures,
    level=st.integers(0, 3),
    flags=st.integers(0, 15),
    newest_listen_ms=st.none() | st.integers(0, 2 * NOW_MS),
    vector=st.lists(_FLOAT, min_size=len(STATE_FEATURES), max_size=len(STATE_FEATURES)).map(
        lambda values: _VECTOR.pack(*values)
    ),
)
_CAMPAIGN = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,63}", fullmatch=True).map(lambda name: Campaign(campaign_id=name))
_FACTS = st.builds(
    Facts,
    campaign=_CAMPAIGN,
    now_ms=st.just(NOW_MS),
    rung=st.sampled_from(Rung),
    listener=st.none() | _LISTENER,
    contact_times=st.lists(st.integers(0, 2 * NOW_MS) | st.integers(NOW_MS - 2 * DAY_MS, NOW_MS), max_size=5).map(
        tuple
    ),
    score=st.none() | _FLOAT,
    model_threshold=st.none() | _FLOAT,
    budget=st.sampled_from(BudgetState),
    assignment=st.builds(Assignment, arm=st.sampled_from(["", "a", "lower-threshold"])),
)
_ANSWER = st.builds(
    lambda facts, **fields: Answer(
        Question(
            fields.pop("request_id"), fields.pop("customer_id"), facts.campaign, 7, fields.pop("campaigns_version")
        ),
        facts=facts,
        decided_at_ms=NOW_MS,
        contacts_value=b"x" * 25 * len(facts.contact_times),
        **fields,
    ),
    _FACTS,
    request_id=st.text("abz09-", min_size=1, max_size=64),
    customer_id=st.integers(0, 2**63 - 1),
    campaigns_version=st.sampled_from(["", "0123456789ab"]),
    reason=st.sampled_from(Reason),
    propensity=_FLOAT,
    model_version=st.sampled_from(["", "8f4e22173852b132"]),
    listener_value=st.binary(max_size=300),
    reservation=st.sampled_from(ReservationState),
)


def _request_of(given_answer: Answer) -> pb.DecideRequest:
    question = given_answer.question
    return pb.DecideRequest(
        request_id=question.request_id, customer_id=question.customer_id, next_track_id=question.next_track_id
    )


def _response_field_by_field(given_answer: Answer) -> pb.DecideResponse:
    facts = given_answer.facts
    listener = facts.listener
    newest_ms = listener.newest_listen_ms if listener else None
    fields: dict[str, Any] = {
        "show": given_answer.reason in SHOWN,
        "reason": int(given_answer.reason),
        "decision_id": decision_id(given_answer.question),
        "campaign_id": facts.campaign.campaign_id,
        "score": facts.score,
        "propensity": given_answer.propensity,
        "arm": facts.assignment.arm,
        "model_version": given_answer.model_version,
        "feature_age_ms": None if newest_ms is None else max(0, NOW_MS - newest_ms),
        "rung": int(facts.rung),
        "degraded": facts.rung is not Rung.FULL,
    }
    return pb.DecideResponse(**fields)


def _log_field_by_field(given_answer: Answer, request: pb.DecideRequest) -> pb.DecisionLogged:
    facts, times = given_answer.facts, given_answer.facts.contact_times
    fields: dict[str, Any] = {
        "decision_id": decision_id(given_answer.question),
        "request": request,
        "response": _response_field_by_field(given_answer),
        "decided_at_ms": NOW_MS,
        "features": _VECTOR.unpack(facts.listener.vector) if facts.listener else [],
        "schema_version": SCHEMA_VERSION,
        "threshold": facts.model_threshold or 0.0,
        "contacts_in_period": len([at_ms for at_ms in times if at_ms > NOW_MS - DAY_MS]),
        "since_last_contact_ms": min((max(0, NOW_MS - at_ms) for at_ms in times), default=None),
        "service_version": _VERSION,
        "listener": given_answer.listener_value,
        "contacts": given_answer.contacts_value,
        "campaigns_version": given_answer.question.campaigns_version,
        "budget": int(facts.budget),
        "reservation": int(given_answer.reservation),
    }
    return pb.DecisionLogged(**fields)


@settings(deadline=None)
@given(_ANSWER)
def test_a_reply_is_the_response_built_field_by_field_with_the_token_of_a_shown_offer(given_answer: Answer) -> None:
    expected = _response_field_by_field(given_answer)
    assert to_response(given_answer) == expected
    if expected.show:
        question = given_answer.question
        shown = Shown(expected.decision_id, question.customer_id, expected.campaign_id, NOW_MS)
        expected.outcome_token = _TOKENS.issue(shown)
    assert to_reply(to_decision(b"", given_answer), _TOKENS) == expected.SerializeToString()


@settings(deadline=None)
@given(_ANSWER)
def test_a_log_line_is_the_message_built_field_by_field(given_answer: Answer) -> None:
    request = _request_of(given_answer)
    line = to_log(to_decision(request.SerializeToString(), given_answer), _VERSION)
    assert pb.DecisionLogged.FromString(line) == _log_field_by_field(given_answer, request)


@given(st.lists(_ANSWER, max_size=4))
def test_replies_to_a_batch_are_one_message(answers: list[Answer]) -> None:
    replies = [to_reply(to_decision(b"", each), _TOKENS) for each in answers]
    expected = pb.DecideBatchResponse(responses=[pb.DecideResponse.FromString(reply) for reply in replies])
    assert to_batch_reply(replies) == expected.SerializeToString()


def _logged_request(body: bytes) -> pb.DecideRequest:
    line = to_log(Decision(b"d", body, b"", None, answer()), _VERSION)
    return pb.DecisionLogged.FromString(line).request


_GOOD = pb.DecideRequest(request_id="r", customer_id=5, next_track_id=9).SerializeToString()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(_GOOD + b"\x0a\x01s" + b"\x10\x06", id="fields twice, the last one counts"),
        pytest.param(b"\x10\x85\x80\x80\x00" + b"\x0a\x01r", id="numbers longer than need be, fields out of order"),
        pytest.param(_GOOD + b"\xc2\x3e\x05later", id="a field that this version does not know"),
        pytest.param(_GOOD + b"\xc3\x3e\xc4\x3e", id="a group"),
    ],
)
def test_a_request_is_logged_as_it_was_sent(body: bytes) -> None:
    logged = _logged_request(body)
    assert logged == pb.DecideRequest.FromString(body)
    assert logged.SerializeToString(deterministic=True) == pb.DecideRequest.FromString(body).SerializeToString(
        deterministic=True
    )


def test_every_known_field_fits_into_what_is_logged_as_sent() -> None:
    full = pb.DecideRequest(
        request_id="r" * 64,
        customer_id=2**63 - 1,
        next_track_id=2**63 - 1,
        device=1,  # type: ignore[arg-type]
        campaign_id="c" * 64,
    )
    assert full.ByteSize() <= LOGGED_AS_SENT_BYTES


@pytest.mark.parametrize("size", [LOGGED_AS_SENT_BYTES, 250_000])
def test_a_long_request_is_logged_without_what_is_not_known_of_it(size: int) -> None:
    unknown = pb.DecisionLogged(contacts=bytes(size)).SerializeToString()
    assert _logged_request(_GOOD + unknown) == pb.DecideRequest.FromString(_GOOD)


@pytest.mark.parametrize("depth", range(80, 101))
def test_a_request_that_can_be_read_leaves_a_line_that_can_be_read(depth: int) -> None:
    """Readers take messages nested 100 deep, and in the line a request is one deeper."""
    body = _GOOD + b"\x7b" * depth + b"\x7c" * depth
    if _can_be_read(body):
        assert _logged_request(body).customer_id == 5


def _can_be_read(body: bytes) -> bool:
    return pb.DecideRequest.FromString(body).customer_id == 5


def test_what_a_batch_has_in_common_is_not_mixed_up_between_batches() -> None:
    first = answer()
    others: list[Callable[[Answer], Answer]] = [
        lambda given_answer: given_answer._replace(decided_at_ms=NOW_MS + 1),
        lambda given_answer: given_answer._replace(reservation=ReservationState.CAPPED),
        lambda given_answer: given_answer._replace(facts=given_answer.facts._replace(budget=BudgetState.SPENT)),
        lambda given_answer: given_answer._replace(facts=given_answer.facts._replace(model_threshold=0.5)),
    ]
    lines = {to_log(to_decision(_GOOD, each), _VERSION) for each in [first, *(change(first) for change in others)]}
    assert len(lines) == 1 + len(others)


def test_a_decision_keeps_no_token() -> None:
    shown = decision(reason=Reason.SHOW)
    assert pb.DecideResponse.FromString(to_reply(shown, _TOKENS)).outcome_token
    assert not pb.DecisionLogged.FromString(to_log(shown, _VERSION)).response.outcome_token
