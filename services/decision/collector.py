"""Makes batches of single calls, on one event loop: whatever comes while a batch is answered makes the next. Knows no gRPC."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from services.decision.fronts import BATCH_LIMIT, QUEUE_LIMIT_MS
from services.decision.methods import Handle, Reply

GATHER_TURNS: Final = 10
"""Turns of the loop without another call after which a batch is complete, some 10 µs each. grpcio takes up one call after the
other, and each needs several turns to come up: looking once, nearly all batches are of one (ADR 0011 has the figures)."""

_QUEUE_LIMIT_SECONDS: Final = QUEUE_LIMIT_MS / 1000


class Overloaded(Exception):
    """A call that is refused because it came too much; its text is for the caller."""


class Expired(Exception):
    """The deadline passed before the call was begun."""


class _Call(NamedTuple):
    body: bytes
    since_seconds: float
    expires_seconds: float
    reply: "asyncio.Future[Reply | None]"
    """None: it expired."""


Ask = Callable[[bytes, float | None], Awaitable[Reply]]
"""Answers one call: its body, and what remains of its deadline in seconds. Raises `Overloaded`, `Expired`."""


class Collector:
    """Gathers calls into batches. All of it happens on one event loop; `counters` may be read from any thread."""

    def __init__(self, handle: Handle, in_flight_limit: int, seconds: Callable[[], float] = time.monotonic) -> None:
        """For the running loop; `seconds` is a monotonic clock."""
        self._handle = handle
        self._in_flight_limit = in_flight_limit
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[str, list[_Call]] = {}
        self.in_flight = 0
        self.counters: Counter[str] = Counter()

    def asking(self, path: str) -> Ask:
        """What answers the calls of the method at `path`."""
        waiting = self._waiting[path] = []

        async def ask(body: bytes, remaining_seconds: float | None) -> Reply:
            now = self._seconds()
            self._admit(waiting, now)
            self.in_flight += 1
            try:
                if not waiting:
                    self._loop.call_soon(self._gather, path, 0, 0)
                expires_seconds = math.inf if remaining_seconds is None else now + remaining_seconds
                call = _Call(body, now, expires_seconds, self._loop.create_future())
                waiting.append(call)
                reply = await call.reply
            finally:
                self.in_flight -= 1
            if reply is None:
                raise Expired
            return reply

        return ask

    def _admit(self, waiting: list[_Call], now: float) -> None:
        """Raises `Overloaded`, with the words of the native front."""
        self.counters["received"] += 1
        if self.in_flight >= self._in_flight_limit:
            self.counters["refused_in_flight"] += 1
            raise Overloaded("too many calls in flight")
        # What fits into the next batch is gone with it, however long a stalled machine has left it there.
        if len(waiting) >= BATCH_LIMIT and now - waiting[0].since_seconds > _QUEUE_LIMIT_SECONDS:
            self.counters["refused_queue"] += 1
            raise Overloaded("calls wait too long")

    def _gather(self, path: str, seen: int, idle_turns: int) -> None:
        """Answer once the batch is full or no call has come up for a while."""
        waiting = len(self._waiting[path])
        idle_turns = 0 if waiting > seen else idle_turns + 1
        if waiting >= BATCH_LIMIT or idle_turns >= GATHER_TURNS:
            self._answer_waiting(path)
        else:
            self._loop.call_soon(self._gather, path, waiting, idle_turns)

    def _answer_waiting(self, path: str) -> None:
        waiting = self._waiting[path]
        batch, waiting[:BATCH_LIMIT] = waiting[:BATCH_LIMIT], []
        if waiting:
            self._loop.call_soon(self._gather, path, 0, 0)
        now = self._seconds()
        begun = [call for call in batch if self._is_awaited(call, now)]
        if not begun:
            return
        replies = self._handle(path, [call.body for call in begun], [call.expires_seconds - now for call in begun])
        done = self._seconds()
        for call, reply in zip(begun, replies, strict=True):
            self.counters["answered" if call.expires_seconds > done else "late"] += 1
            call.reply.set_result(reply)

    def _is_awaited(self, call: _Call, now: float) -> bool:
        """Whether there is still somebody to answer; those whose deadline has passed are told so."""
        if call.expires_seconds > now:
            if call.reply.done():
                self.counters["cancelled"] += 1
            return not call.reply.done()
        self.counters["expired"] += 1
        if not call.reply.done():
            call.reply.set_result(None)
        return False
