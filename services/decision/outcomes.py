"""From a reported outcome to an ad event that is queued once."""

from collections.abc import Sequence
from typing import Protocol

from interlude.events.validation import AHEAD_LIMIT_MS
from interlude.v1 import decision_pb2 as pb
from interlude.v1 import events_pb2
from services.decision.journal import Journal
from services.decision.metrics import OutcomeMetrics
from services.decision.reported import ReportsUnavailable
from services.decision.requests import InvalidRequest
from services.decision.tokens import TokenIssuer


class Reported(Protocol):
    """What is known of earlier reports: `ReportedOutcomes`."""

    def claim(self, events: Sequence[events_pb2.AdEvent]) -> list[bool]: ...

    def release(self, events: Sequence[events_pb2.AdEvent]) -> None: ...


class OutcomeTaker:
    """Queues each outcome for Kafka once. As safe between threads as its parts."""

    def __init__(self, reported: Reported, journal: Journal, metrics: OutcomeMetrics) -> None:
        self._reported = reported
        self._journal = journal
        self._metrics = metrics

    def take(self, events: Sequence[events_pb2.AdEvent]) -> list[bool]:
        """For each event whether it was taken, now or before; False: there is no room, and it may be reported again.

        Without Redis all are queued: those who read them know an event that comes twice by its id.
        """
        if not events:
            return []
        try:
            firsts = self._reported.claim(events)
        except ReportsUnavailable:
            self._metrics.unchecked.inc(len(events))
            return [self._queue(event) for event in events]
        queued: dict[str, bool] = {}
        try:
            for event, is_first in zip(events, firsts, strict=True):
                if is_first:
                    queued[event.event_id] = self._queue(event)
                else:
                    self._metrics.repeated.labels(_kind(event)).inc()
        finally:
            unqueued = [
                event
                for event, is_first in zip(events, firsts, strict=True)
                if is_first and not queued.get(event.event_id)
            ]
            if unqueued:
                self._reported.release(unqueued)
        return [queued.get(event.event_id, True) for event in events]

    def _queue(self, event: events_pb2.AdEvent) -> bool:
        is_queued = self._journal.report(event)
        if is_queued:
            self._metrics.taken.labels(_kind(event)).inc()
        return is_queued


def to_ad_event(request: pb.ReportOutcomeRequest, tokens: TokenIssuer, now_ms: int) -> events_pb2.AdEvent:
    """The event of a report. One decision has at most one event of each kind: a repeated report has the same id.

    Raises `InvalidRequest`, for its token `InvalidToken`.
    """
    kinds = events_pb2.AdEventKind.values()[1:]
    if request.kind not in kinds:
        raise InvalidRequest("kind", f"is {request.kind}, expected one of {kinds}")
    shown = tokens.check(request.outcome_token, now_ms)
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


def _kind(event: events_pb2.AdEvent) -> str:
    return events_pb2.AdEventKind.Name(event.kind)
