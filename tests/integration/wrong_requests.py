"""Requests of which exactly one field is wrong, each with what their refusal has to begin with."""

from typing import Any, Final

from google.protobuf.message import Message

from interlude.v1 import decision_pb2 as pb

LISTENER: Final = 4_611_686_018_427_387_123
"""A customer who is recognisable in a log."""
QUESTION: Final = pb.DecideRequest(request_id="r", customer_id=LISTENER)
"""A request with nothing wrong."""


def _decide(**fields: Any) -> pb.DecideRequest:
    return pb.DecideRequest(**{"request_id": "r", "customer_id": LISTENER, **fields})


def _second_wrong(**fields: Any) -> pb.DecideBatchRequest:
    return pb.DecideBatchRequest(requests=[QUESTION, _decide(**fields)])


WRONG: Final[dict[str, tuple[str, Message, str]]] = {
    "no request id": ("Decide", _decide(request_id=""), "request_id has 0 characters, expected 1 to 64 "),
    "long request id": ("Decide", _decide(request_id="x" * 65), "request_id has 65 characters, expected 1 to 64 "),
    "unprintable request id": (
        "Decide",
        _decide(request_id="a\n"),
        "request_id has 2 characters, expected 1 to 64 of ",
    ),
    "negative customer": (
        "Decide",
        _decide(customer_id=-LISTENER),
        f"customer_id is -{LISTENER}, expected 0 to 2^63-1",
    ),
    "negative track": ("Decide", _decide(next_track_id=-7), "next_track_id is -7, expected 0 to 2^63-1"),
    "unknown device": ("Decide", _decide(device=9), "device is 9, expected one of [0, 1, 2]"),
    "unknown campaign": ("Decide", _decide(campaign_id="none"), "campaign_id is 'none', expected one of: premium-day"),
    "endless campaign": ("Decide", _decide(campaign_id="é" * 50_000), "campaign_id is '\\xe9\\xe9"),
    "empty batch": ("DecideBatch", pb.DecideBatchRequest(), "requests has 0 entries, expected 1 to 256"),
    "large batch": (
        "DecideBatch",
        pb.DecideBatchRequest(requests=[QUESTION] * 257),
        "requests has 257 entries, expected 1 to 256",
    ),
    "request id in a batch": ("DecideBatch", _second_wrong(request_id=""), "requests[1].request_id has 0 characters"),
    "customer in a batch": ("DecideBatch", _second_wrong(customer_id=-3), "requests[1].customer_id is -3, expected 0 "),
    "track in a batch": (
        "DecideBatch",
        _second_wrong(next_track_id=-1),
        "requests[1].next_track_id is -1, expected 0 ",
    ),
    "device in a batch": (
        "DecideBatch",
        _second_wrong(device=-1),
        "requests[1].device is -1, expected one of [0, 1, 2]",
    ),
    "campaign in a batch": ("DecideBatch", _second_wrong(campaign_id="x"), "requests[1].campaign_id is 'x', expected "),
    "customer to explain": ("Explain", pb.ExplainRequest(customer_id=-1), "customer_id is -1, expected 0 to 2^63-1"),
    "campaign to explain": (
        "Explain",
        pb.ExplainRequest(customer_id=LISTENER, campaign_id="none"),
        "campaign_id is 'none', expected one of: premium-day",
    ),
    "no kind": ("ReportOutcome", pb.ReportOutcomeRequest(), "kind is 0, expected one of [1, "),
    "unknown kind": ("ReportOutcome", pb.ReportOutcomeRequest(kind=99), "kind is 99, expected one of [1, "),  # type: ignore[arg-type]
    "no token": ("ReportOutcome", pb.ReportOutcomeRequest(kind=2), "outcome_token was not issued"),  # type: ignore[arg-type]
    "forged token": (
        "ReportOutcome",
        pb.ReportOutcomeRequest(kind=2, outcome_token=bytes(100)),  # type: ignore[arg-type]
        "outcome_token was not issued by this service",
    ),
}
"""Method, request, refusal."""
