"""What a player asks and is told, without a connection: both clients turn the same values into the same messages."""

import uuid
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import grpc

from interlude.v1 import decision_pb2 as pb
from interlude.v1 import events_pb2

DEADLINE_MS: Final = 50
"""Default patience: the answer usually takes one or two, and a track must not wait for an ad."""

REPORT_DEADLINE_SECONDS: Final = 2.0
"""Nobody waits for a report; it may take longer than a question."""

FAILURES: Final = (
    grpc.RpcError,
    grpc.FutureCancelledError,
    grpc.aio.BaseError,  # a client that was closed, on asyncio
    ValueError,  # an id beyond 64 bits; a client that was closed
    TypeError,  # an id that is no number: a bug of the caller's, and no reason for silence in a listener's ears
)
"""Everything that means "could not be asked"."""


class Device(IntEnum):
    """What the listener plays on, numbered as on the wire."""

    UNKNOWN = 0
    MOBILE = 1
    PC = 2


class Outcome(IntEnum):
    """What happened to a shown offer, numbered as on the wire."""

    IMPRESSION = 1
    CLICK = 2
    DISMISS = 3
    CONVERSION = 4


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to "show the offer now?".

    `reason` is a name of `interlude.v1.Reason`; when the service could not be asked in time it is "NOT_ASKED" and `error` names
    the gRPC status. `outcome_token` goes back into `report`.
    """

    show: bool
    reason: str
    request_id: str
    decision_id: str = ""
    campaign_id: str = ""
    model_version: str = ""
    score: float | None = None
    degraded: bool = False
    outcome_token: bytes = b""
    error: str = ""


def new_request_id() -> str:
    """A request id that no other question has."""
    return uuid.uuid4().hex


def to_question(
    request_id: str, customer_id: int, next_track_id: int, campaign_id: str, device: Device
) -> pb.DecideRequest:
    """The question on the wire. Raises ValueError or TypeError for what does not fit there."""
    return pb.DecideRequest(
        request_id=request_id,
        customer_id=customer_id,
        next_track_id=next_track_id,
        device=events_pb2.Device.Name(device.value),
        campaign_id=campaign_id,
    )


def to_report(decision: Decision, outcome: Outcome, at_ms: int) -> pb.ReportOutcomeRequest:
    """The report on the wire, at epoch ms `at_ms`. Raises ValueError or TypeError for what does not fit there."""
    kind = events_pb2.AdEventKind.Name(outcome.value)
    return pb.ReportOutcomeRequest(outcome_token=decision.outcome_token, kind=kind, at_ms=at_ms)


def to_decision(request_id: str, response: pb.DecideResponse) -> Decision:
    """The service's answer as a player sees it."""
    return Decision(
        show=response.show,
        reason=_reason_name(response.reason),
        request_id=request_id,
        decision_id=response.decision_id,
        campaign_id=response.campaign_id,
        model_version=response.model_version,
        score=response.score if response.HasField("score") else None,
        degraded=response.degraded,
        outcome_token=response.outcome_token,
    )


def not_asked(request_id: str, error: str) -> Decision:
    """No ad, because the service gave no answer; `error` is the name of a gRPC status."""
    return Decision(show=False, reason="NOT_ASKED", request_id=request_id, degraded=True, error=error)


def status_of(error: BaseException) -> str:
    """Name of the gRPC status that `error` stands for; UNKNOWN for one that never reached gRPC."""
    code = getattr(error, "code", None)
    status = code() if callable(code) else None
    return status.name if isinstance(status, grpc.StatusCode) else grpc.StatusCode.UNKNOWN.name


def _reason_name(reason: int) -> str:
    """The reason's name; its number when the service is newer than this client and has reasons of its own."""
    known = pb.Reason.DESCRIPTOR.values_by_number.get(reason)
    return str(reason) if known is None else known.name.removeprefix("REASON_")
