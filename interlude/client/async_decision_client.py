"""The same client for players on asyncio: "no ad" in time, whatever goes wrong."""

import asyncio
from collections.abc import Awaitable
from types import TracebackType
from typing import Final, Self

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
from interlude.client.async_answer import answer_to
from interlude.client.async_racing import first_answer
from interlude.client.connection import options_for
from interlude.client.hedging import Hedger, Hedging
from interlude.client.observing import CallObserver, ObservedCall
from interlude.client.throttling import Throttle
from interlude.v1 import decision_pb2 as pb
from interlude.v1 import decision_pb2_grpc

_LOOK_SECONDS: Final = 0.005
"""Between two looks at the connection while it is made."""


class AsyncDecisionClient:
    """Asks the decision service from one event loop: make it on that loop, one per process, and keep it.

    Cancelling a task that waits in one of its methods cancels the call; nothing else is raised.
    """

    def __init__(
        self,
        target: str,
        *,
        deadline_ms: int = DEADLINE_MS,
        credentials: grpc.ChannelCredentials | None = None,
        channel: grpc.aio.Channel | None = None,
        hedging: Hedging | None = None,
        observer: CallObserver | None = None,
    ) -> None:
        """As `DecisionClient`, with a channel of `grpc.aio`."""
        self._deadline_seconds = deadline_ms / 1000
        self._channel = channel or _channel(target, credentials)
        self._stub: decision_pb2_grpc.DecisionServiceAsyncStub = decision_pb2_grpc.DecisionServiceStub(self._channel)
        self._hedger = None if hedging is None else Hedger(hedging, self._deadline_seconds)
        self._throttle = Throttle()
        self._observer = observer

    async def warm_up(self, timeout_seconds: float = 5) -> bool:
        """Connect now instead of at the first question; False when there is no connection in time."""
        try:
            async with asyncio.timeout(timeout_seconds):
                # Looking, not `channel_ready`: given up on, that one stays behind in gRPC, and may hang its shutdown.
                while self._channel.get_state(try_to_connect=True) is not grpc.ChannelConnectivity.READY:
                    await asyncio.sleep(_LOOK_SECONDS)
        except (TimeoutError, *FAILURES):
            return False
        return True

    async def decide(
        self,
        customer_id: int,
        *,
        next_track_id: int = 0,
        campaign_id: str = "",
        request_id: str = "",
        device: Device = Device.UNKNOWN,
    ) -> Decision:
        """Ask once, and return within the deadline. Give `request_id` to repeat a question; else each call is a new one."""
        request_id = request_id or new_request_id()
        with ObservedCall("Decide", self._observer) as call:
            try:
                self._throttle.ask()
                question = to_question(request_id, customer_id, next_track_id, campaign_id, device)
                decision = to_decision(request_id, await self._ask(question, call))
            except (*FAILURES, asyncio.CancelledError) as error:
                call.status = _status_of(error)
                decision = not_asked(request_id, call.status)
        self._throttle.ended(call.status)
        if self._hedger is not None:
            self._hedger.ended(call.status, call.latency_seconds)
        return decision

    async def report(self, decision: Decision, outcome: Outcome, *, at_ms: int = 0) -> bool:
        """Tell what happened to a shown offer, at epoch ms `at_ms` (0: now); waits 2 s at most.

        False when it was not taken. It may be told again, unless the observer heard INVALID_ARGUMENT; after 24 hours it never is.
        """
        with ObservedCall("ReportOutcome", self._observer) as call:
            try:
                report = to_report(decision, outcome, at_ms)
                await answer_to(self._stub.ReportOutcome(report, timeout=REPORT_DEADLINE_SECONDS))
            except (*FAILURES, asyncio.CancelledError) as error:
                call.status = _status_of(error)
        return call.status == "OK"

    async def close(self) -> None:
        """Close the connection; questions on the way are answered "no ad"."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _ask(self, question: pb.DecideRequest, call: ObservedCall) -> pb.DecideResponse:
        hedger = self._hedger
        delay_seconds = None if hedger is None else hedger.delay_seconds()
        if hedger is None or delay_seconds is None:
            return await answer_to(self._stub.Decide(question, timeout=self._deadline_seconds))

        def send(timeout_seconds: float) -> Awaitable[pb.DecideResponse]:
            return self._stub.Decide(question, timeout=timeout_seconds)

        def may_send_again() -> bool:
            call.hedged = hedger.take()
            return call.hedged

        return await first_answer(send, self._deadline_seconds, delay_seconds, may_send_again)


def _status_of(error: BaseException) -> str:
    """As `status_of`; goes on raising where the caller's own task was cancelled.

    A call that ends because its channel was closed also ends in CancelledError, and that one is an answer: no ad.
    """
    if not isinstance(error, asyncio.CancelledError):
        return status_of(error)
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise error
    return grpc.StatusCode.CANCELLED.name


def _channel(target: str, credentials: grpc.ChannelCredentials | None) -> grpc.aio.Channel:
    options = options_for(target)
    if credentials is None:
        return grpc.aio.insecure_channel(target, options)
    return grpc.aio.secure_channel(target, credentials, options)
