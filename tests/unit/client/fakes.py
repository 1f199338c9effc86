"""Connections that answer what a test says, without a socket."""

import asyncio
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

import grpc

from interlude.v1 import decision_pb2 as pb

OFFER = pb.DecideResponse(show=True, reason=pb.REASON_SHOW, decision_id="d", outcome_token=b"t")


class Refused(grpc.RpcError):
    """An RPC that failed with `status`."""

    def __init__(self, status: grpc.StatusCode) -> None:
        super().__init__(status)
        self.status = status

    def code(self) -> grpc.StatusCode:
        """As of every error of grpc."""
        return self.status


@dataclass
class Copy:
    """One copy of a call on its way, as grpc's future of it; `end` ends it."""

    request: Any
    timeout_seconds: float
    cancelled_by_client: bool = False
    _ending: Any = None
    _callbacks: list[Callable[["Copy"], None]] = field(default_factory=list)

    def end(self, ending: Any) -> None:
        """The copy ends with an answer, or with an error."""
        self._ending = ending
        for callback in self._callbacks:
            callback(self)

    def add_done_callback(self, callback: Callable[["Copy"], None]) -> None:
        """Called now when it has ended."""
        self._callbacks.append(callback)
        if self._ending is not None:
            callback(self)

    def exception(self) -> Exception | None:
        """The error it ended with."""
        return self._ending if isinstance(self._ending, Exception) else None

    def result(self) -> Any:
        """The answer, or raises the error."""
        if isinstance(self._ending, Exception):
            raise self._ending
        return self._ending

    def cancel(self) -> bool:
        """Notes that nobody wants it any more."""
        self.cancelled_by_client = self._ending is None
        return self.cancelled_by_client


Script = Callable[[int, Copy], Any]
"""What the nth copy (from 0) ends with at once; None for one that stays on its way."""


class FakeMethod:
    """A unary method of a channel. `copies` are those that were sent."""

    def __init__(self, script: Script) -> None:
        self.copies: list[Copy] = []
        self._script = script

    def future(self, request: Any, timeout: float) -> Copy:
        """Sends a copy."""
        copy = Copy(request, timeout)
        self.copies.append(copy)
        ending = self._script(len(self.copies) - 1, copy)
        if ending is not None:
            copy.end(ending)
        return copy

    def __call__(self, request: Any, timeout: float) -> Any:
        return self.future(request, timeout).result()


class FakeAsyncMethod(FakeMethod):
    """The same on asyncio."""

    def __call__(self, request: Any, timeout: float) -> "AsyncCopy":
        return AsyncCopy(self.future(request, timeout))


class AsyncCopy:
    """A copy to wait for."""

    def __init__(self, copy: Copy) -> None:
        self._copy = copy

    def __await__(self) -> Generator[Any, None, Any]:
        ended = asyncio.get_running_loop().create_future()
        self._copy.add_done_callback(lambda _: ended.set_result(None))
        try:
            yield from ended
        except asyncio.CancelledError:
            self._copy.cancel()
            raise
        return self._copy.result()


class FakeChannel:
    """A channel whose methods all follow one script. Stands for `grpc.Channel` and `grpc.aio.Channel`."""

    def __init__(self, method: FakeMethod) -> None:
        self.method = method

    def unary_unary(self, _path: str, **_: Any) -> FakeMethod:
        """Any method of the service."""
        return self.method


def channel_of(kind: str, script: Script) -> FakeChannel:
    """A channel for a client of that kind (`tests.clients.KINDS`)."""
    return FakeChannel(FakeMethod(script) if kind == "threads" else FakeAsyncMethod(script))
