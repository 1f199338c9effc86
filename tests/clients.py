"""Both clients of player teams behind the same methods, so that one suite says that they do the same."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol, Self, TypeVar

from interlude.client import AsyncDecisionClient, Decision, DecisionClient, Device, Outcome

_Result = TypeVar("_Result")


class Client(Protocol):
    """What both do, as tests call it."""

    def warm_up(self, timeout_seconds: float = ..., /) -> bool: ...

    def decide(
        self,
        customer_id: int,
        *,
        next_track_id: int = ...,
        campaign_id: str = ...,
        request_id: str = ...,
        device: Device = ...,
    ) -> Decision: ...

    def report(self, decision: Decision, outcome: Outcome, *, at_ms: int = ...) -> bool: ...

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: Any) -> None: ...


class OnLoop:
    """An `AsyncDecisionClient` whose methods wait, on a loop that runs only meanwhile."""

    def __init__(self, runner: asyncio.Runner, target: str, **options: Any) -> None:
        self._runner = runner
        self._client = self._run(self._make(target, options))

    async def _make(self, target: str, options: dict[str, Any]) -> AsyncDecisionClient:
        return AsyncDecisionClient(target, **options)

    def _run(self, method: Coroutine[Any, Any, _Result]) -> _Result:
        return self._runner.run(method)

    def warm_up(self, timeout_seconds: float = 5, /) -> bool:
        return self._run(self._client.warm_up(timeout_seconds))

    def decide(self, customer_id: int, **fields: Any) -> Decision:
        return self._run(self._client.decide(customer_id, **fields))

    def report(self, decision: Decision, outcome: Outcome, *, at_ms: int = 0) -> bool:
        return self._run(self._client.report(decision, outcome, at_ms=at_ms))

    def close(self) -> None:
        self._run(self._client.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


Connect = Callable[..., Client]
"""Makes a client of a target, with the options that both take."""

KINDS: Final = ("threads", "asyncio")


def connect_with(kind: str, runner: asyncio.Runner) -> Connect:
    """How to make a client of that kind; one on asyncio runs on `runner`."""

    def connect(target: str, **options: Any) -> Client:
        return DecisionClient(target, **options) if kind == "threads" else OnLoop(runner, target, **options)

    return connect
