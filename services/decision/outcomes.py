"""From a reported outcome to an ad event: pure."""

from interlude.events.validation import AHEAD_LIMIT_MS
from interlude.v1 import decision_pb2 as pb
from interlude.v1 import events_pb2
from services.decision.requests import InvalidRequest
from services.decision.tokens import InvalidToken, TokenIssuer


def to_ad_event(request: pb.ReportOutcomeRequest, tokens: TokenIssuer, now_ms: int) -> events_pb2.AdEvent:
    """The event of a report. One decision has at most one event of each kind: a repeated report has the same id.

    Raises `InvalidRequest`.
    """
    kinds = events_pb2.AdEventKind.values()[1:]
    if request.kind not in kinds:
        raise InvalidRequest("kind", f"is {request.kind}, expected one of {kinds}")
    try:
        shown = tokens.check(request.outcome_token, now_ms)
    except InvalidToken as error:
        raise InvalidRequest("outcome_token", error.problem) from error
    at_ms = request.at_ms or now_ms
    if not shown.shown_at_ms <= at_ms <= now_ms + AHEAD_LIMIT_MS:
        raise InvalidRequest(
            "at_ms", f"is {at_ms}, expected {shown.shown_at_ms} (when it was shown) to {now_ms + AHEAD_LIMIT_MS}"
        )
    return events_pb2.AdEvent(
        event_id=f"{shown.decision_id}/{events_pb2.AdEventKind.Name(request.kind)}",
        customer_id=shown.customer_id,
        kind=request.kind,
        at_ms=at_ms,
        decision_id=shown.decision_id,
        campaign_id=shown.campaign_id,
        channel=events_pb2.CHANNEL_PLAYER,
    )
