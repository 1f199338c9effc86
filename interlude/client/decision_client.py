"""A client that never makes a player wait and never throws: whatever goes wrong, the answer is "no ad", in time."""

import uuid
from dataclasses import dataclass
from enum import IntEnum
from types import TracebackType
from typing import Final, Self

import grpc

from interlude.v1 import decision_pb2 as pb
from interlude.v1 import decision_pb2_grpc, events_pb2

DEADLINE_MS: Final = 50
"""Default patience: the answer usually takes one or two, and a track must not wait for an ad."""

REPORT_DEADLINE_MS: Final = 2000
"""Nobody waits for a report; it may take longer than a question."""

_CHANNEL_OPTIONS: Final = (
    # The connection stays warm between tracks, and a dead one is noticed before the next track asks.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.lb_policy_name", "round_robin"),
)


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


class DecisionClient:
    """One connection to the decision service. Safe between threads; make one per process and keep it."""

    def __init__(self, target: str, *, deadline_ms: int = DEADLINE_MS, channel: grpc.Channel | None = None) -> None:
        """`target` is "host:port" or any gRPC name; `channel` replaces the insecure one made for it (TLS, proxies)."""
        self._deadline_seconds = deadline_ms / 1000
        self._channel = channel or grpc.insecure_channel(target, options=list(_CHANNEL_OPTIONS))
        self._stub = decision_pb2_grpc.DecisionServiceStub(self._channel)

    def warm_up(self, timeout_seconds: float = 5) -> bool:
        """Connect now instead of at the first question; False when there is no connection in time."""
        try:
            grpc.channel_ready_future(self._channel).result(timeout=timeout_seconds)
        except grpc.FutureTimeoutError:
            return False
        return True

    def decide(
        self, customer_id: int, *, next_track_id: int = 0, campaign_id: str = "", request_id: str = ""
    ) -> Decision:
        """Ask once, and return within the deadline. Give `request_id` to repeat a question; else each call is a new one."""
        request_id = request_id or uuid.uuid4().hex
        try:
            request = pb.DecideRequest(
                request_id=request_id, customer_id=customer_id, next_track_id=next_track_id, campaign_id=campaign_id
            )
            return _to_decision(request_id, self._stub.Decide(request, timeout=self._deadline_seconds))
        except (grpc.RpcError, ValueError) as error:  # ValueError: an id beyond 64 bits, a client that was closed
            return Decision(show=False, reason="NOT_ASKED", request_id=request_id, degraded=True, error=_status(error))

    def report(self, decision: Decision, outcome: Outcome, *, at_ms: int = 0) -> bool:
        """Tell what happened to a shown offer, at epoch ms `at_ms` (0: now). False when it could not be told: try again."""
        try:
            request = pb.ReportOutcomeRequest(
                outcome_token=decision.outcome_token, kind=events_pb2.AdEventKind.Name(outcome.value), at_ms=at_ms
            )
            self._stub.ReportOutcome(request, timeout=REPORT_DEADLINE_MS / 1000)
        except (grpc.RpcError, ValueError):
            return False
        return True

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _to_decision(request_id: str, response: pb.DecideResponse) -> Decision:
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


def _reason_name(reason: int) -> str:
    """The reason's name; its number when the service is newer than this client and has reasons of its own."""
    known = pb.Reason.DESCRIPTOR.values_by_number.get(reason)
    return str(reason) if known is None else known.name.removeprefix("REASON_")


def _status(error: Exception) -> str:
    code = getattr(error, "code", None)
    return code().name if callable(code) else "UNKNOWN"
