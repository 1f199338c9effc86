"""A client that never makes a player wait and never throws: whatever goes wrong, the answer is "no ad", in time."""

from types import TracebackType
from typing import Self

import grpc

from interlude.client.answers import (
    DEADLINE_MS,
    FAILURES,
    REPORT_DEADLINE_SECONDS,
    Decision,
    Device,
    Outcome,
    new_request_id,
    not_asked,
    status_of,
    to_decision,
    to_question,
    to_report,
)
from interlude.client.connection import options_for
from interlude.client.hedging import Hedger, Hedging
from interlude.client.observing import CallObserver, ObservedCall
from interlude.client.racing import first_answer
from interlude.client.throttling import Throttle
from interlude.v1 import decision_pb2 as pb
from interlude.v1 import decision_pb2_grpc


class DecisionClient:
    """Asks the decision service from threads. Safe between them; make one per process and keep it."""

    def __init__(
        self,
        target: str,
        *,
        deadline_ms: int = DEADLINE_MS,
        credentials: grpc.ChannelCredentials | None = None,
        channel: grpc.Channel | None = None,
        hedging: Hedging | None = None,
        observer: CallObserver | None = None,
    ) -> None:
        """`target` is "host:port" or any gRPC name; "dns:///name:port" is spread over all its addresses.

        With `credentials` (`grpc.ssl_channel_credentials`) it speaks TLS; gRPC keeps them as they are, so make a new client
        when your own certificate was renewed. `channel` replaces the one made for `target` (proxies: make it with
        `CHANNEL_OPTIONS`). With `hedging`, slow questions are asked twice; `observer` hears of every call.
        """
        self._deadline_seconds = deadline_ms / 1000
        self._channel = channel or _channel(target, credentials)
        self._stub = decision_pb2_grpc.DecisionServiceStub(self._channel)
        self._hedger = None if hedging is None else Hedger(hedging, self._deadline_seconds)
        self._throttle = Throttle()
        self._observer = observer

    def warm_up(self, timeout_seconds: float = 5) -> bool:
        """Connect now instead of at the first question; False when there is no connection in time."""
        try:
            grpc.channel_ready_future(self._channel).result(timeout=timeout_seconds)
        except grpc.FutureTimeoutError:
            return False
        return True

    def decide(
        self,
        customer_id: int,
        *,
        next_track_id: int = 0,
        campaign_id: str = "",
        request_id: str = "",
        device: Device = Device.UNKNOWN,
    ) -> Decision:
        """Ask once, and return within the deadline. Give `request_id` to repeat a question; else each call is a new one.

        While the service refuses calls, some questions are not sent (`Throttle`): no ad, as for a refused one.
        """
        request_id = request_id or new_request_id()
        with ObservedCall("Decide", self._observer) as call:
            try:
                self._throttle.ask()
                question = to_question(request_id, customer_id, next_track_id, campaign_id, device)
                decision = to_decision(request_id, self._ask(question, call))
            except FAILURES as error:
                call.status = status_of(error)
                decision = not_asked(request_id, call.status)
        self._throttle.ended(call.status)
        if self._hedger is not None:
            self._hedger.ended(call.status, call.latency_seconds)
        return decision

    def report(self, decision: Decision, outcome: Outcome, *, at_ms: int = 0) -> bool:
        """Tell what happened to a shown offer, at epoch ms `at_ms` (0: now); waits 2 s at most.

        False when it was not taken. It may be told again, unless the observer heard INVALID_ARGUMENT; after 24 hours it never is.
        """
        with ObservedCall("ReportOutcome", self._observer) as call:
            try:
                self._stub.ReportOutcome(to_report(decision, outcome, at_ms), timeout=REPORT_DEADLINE_SECONDS)
            except FAILURES as error:
                call.status = status_of(error)
        return call.status == "OK"

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, question: pb.DecideRequest, call: ObservedCall) -> pb.DecideResponse:
        hedger = self._hedger
        delay_seconds = None if hedger is None else hedger.delay_seconds()
        if hedger is None or delay_seconds is None:
            return self._stub.Decide(question, timeout=self._deadline_seconds)

        def send(timeout_seconds: float) -> "grpc.Future[pb.DecideResponse]":
            return self._stub.Decide.future(question, timeout=timeout_seconds)

        def may_send_again() -> bool:
            call.hedged = hedger.take()
            return call.hedged

        return first_answer(send, self._deadline_seconds, delay_seconds, may_send_again)


def _channel(target: str, credentials: grpc.ChannelCredentials | None) -> grpc.Channel:
    options = options_for(target)
    if credentials is None:
        return grpc.insecure_channel(target, options)
    return grpc.secure_channel(target, credentials, options)
