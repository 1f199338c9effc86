"""What callers may send: each field at its limits, and which field a refusal names."""

from contextlib import suppress
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from interlude.contacts.campaign import Campaign, Campaigns
from interlude.v1 import decision_pb2 as pb
from services.decision.answers import Question
from services.decision.requests import BATCH_LIMIT, InvalidRequest, to_explained, to_question, to_questions

_CAMPAIGNS = Campaigns(campaigns=(Campaign(campaign_id="first"), Campaign(campaign_id="second")))
_LARGEST = 2**63 - 1


def _request(**changes: Any) -> pb.DecideRequest:
    return pb.DecideRequest(**{"request_id": "r", "customer_id": 1, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"request_id": "x" * 64},
        {"request_id": " ~"},
        {"customer_id": 0},
        {"customer_id": _LARGEST, "next_track_id": _LARGEST},
        {"device": 2},
        {"campaign_id": "second"},
    ],
)
def test_valid_requests_are_taken(changes: dict[str, Any]) -> None:
    request = _request(**changes)
    campaign = _CAMPAIGNS.find(request.campaign_id)
    assert campaign is not None
    assert to_question(request, _CAMPAIGNS) == Question(
        request.request_id, request.customer_id, campaign, request.next_track_id, _CAMPAIGNS.version
    )


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"request_id": ""}, "request_id"),
        ({"request_id": "x" * 65}, "request_id"),
        ({"request_id": "zoë"}, "request_id"),
        ({"request_id": "a\nb"}, "request_id"),
        ({"request_id": "a\x00"}, "request_id"),
        ({"customer_id": -1}, "customer_id"),
        ({"next_track_id": -1}, "next_track_id"),
        ({"device": 3}, "device"),
        ({"device": -1}, "device"),
        ({"campaign_id": "third"}, "campaign_id"),
        ({"campaign_id": "First"}, "campaign_id"),
    ],
)
def test_a_refusal_names_the_field_alone_and_in_a_batch(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        to_question(_request(**changes), _CAMPAIGNS)
    assert caught.value.field == field
    batch = pb.DecideBatchRequest(requests=[_request(), _request(**changes)])
    with pytest.raises(InvalidRequest) as caught:
        to_questions(batch, _CAMPAIGNS)
    assert caught.value.field == f"requests[1].{field}"
    assert str(caught.value).startswith(f"requests[1].{field} ")


@pytest.mark.parametrize("count", [1, BATCH_LIMIT])
def test_batches_up_to_the_limit_are_taken_in_order(count: int) -> None:
    batch = pb.DecideBatchRequest(requests=[_request(customer_id=number) for number in range(count)])
    assert [question.customer_id for question in to_questions(batch, _CAMPAIGNS)] == list(range(count))


@pytest.mark.parametrize("count", [0, BATCH_LIMIT + 1])
def test_batches_beyond_the_limits_are_refused(count: int) -> None:
    batch = pb.DecideBatchRequest(requests=[_request() for _ in range(count)])
    with pytest.raises(InvalidRequest, match=f"requests has {count} entries, expected 1 to {BATCH_LIMIT}"):
        to_questions(batch, _CAMPAIGNS)


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.ExplainRequest(customer_id=-1), "customer_id"),
        (pb.ExplainRequest(customer_id=1, campaign_id="third"), "campaign_id"),
        (pb.ExplainRequest(next_track_id=-1), "next_track_id"),
        (pb.ExplainRequest(request_id="zoë"), "request_id"),
    ],
)
def test_explain_names_the_field(request_: pb.ExplainRequest, field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        to_explained(request_, _CAMPAIGNS)
    assert caught.value.field == field


@pytest.mark.parametrize("request_id", ["", "r"])
def test_an_explanation_is_about_the_very_question_that_is_named(request_id: str) -> None:
    explained = pb.ExplainRequest(customer_id=5, campaign_id="second", next_track_id=9, request_id=request_id)
    assert to_explained(explained, _CAMPAIGNS) == Question(
        request_id, 5, _CAMPAIGNS.campaigns[1], 9, _CAMPAIGNS.version
    )


@given(st.binary(max_size=200))
def test_whatever_bytes_parse_are_taken_or_refused_and_nothing_else(body: bytes) -> None:
    with suppress(DecodeError, InvalidRequest):
        question = to_question(pb.DecideRequest.FromString(body), _CAMPAIGNS)
        assert 0 <= question.customer_id <= _LARGEST
        assert 0 < len(question.request_id) <= 64
