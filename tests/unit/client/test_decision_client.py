"""The client without a connection."""

import pytest

from interlude.client import Decision, DecisionClient, Outcome
from interlude.v1 import events_pb2

_NOWHERE = "127.0.0.1:1"


@pytest.mark.parametrize("outcome", Outcome)
def test_outcomes_are_numbered_as_on_the_wire(outcome: Outcome) -> None:
    assert events_pb2.AdEventKind.Name(outcome) == f"AD_EVENT_KIND_{outcome.name}"


def test_every_outcome_can_be_reported() -> None:
    assert sorted(outcome.value for outcome in Outcome) == sorted(events_pb2.AdEventKind.values())[1:]


@pytest.mark.parametrize(("customer_id", "next_track_id"), [(2**63, 0), (1, -(2**63) - 1)])
def test_an_id_beyond_64_bits_means_no_ad(customer_id: int, next_track_id: int) -> None:
    with DecisionClient(_NOWHERE) as client:
        decision = client.decide(customer_id, next_track_id=next_track_id, request_id="r")
    assert decision == Decision(show=False, reason="NOT_ASKED", request_id="r", degraded=True, error="UNKNOWN")


def test_a_closed_client_means_no_ad() -> None:
    client = DecisionClient(_NOWHERE)
    client.close()
    assert not client.decide(1).show
    assert not client.report(Decision(show=True, reason="SHOW", request_id="r"), Outcome.CLICK)
