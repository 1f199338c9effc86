"""Two copies of one question, on asyncio: the first answer wins, the other copy is cancelled."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import grpc

from interlude.client.async_answer import answer_to

_Answer = TypeVar("_Answer")


async def first_answer(
    send: Callable[[float], Awaitable[_Answer]],
    deadline_seconds: float,
    delay_seconds: float,
    may_send_again: Callable[[], bool],
) -> _Answer:
    """Sends one copy and, when it has not ended after `delay_seconds` and `may_send_again`, another for the rest of the time.

    `send` takes the copy's timeout in seconds. An error of one copy waits for the other. Raises what the last copy ended with.
    """
    started = asyncio.get_running_loop().time()
    copies = [asyncio.create_task(_ending(send(deadline_seconds)))]
    try:
        done, _ = await asyncio.wait(copies, timeout=delay_seconds)
        if not done and may_send_again():
            rest = deadline_seconds - (asyncio.get_running_loop().time() - started)
            copies.append(asyncio.create_task(_ending(send(rest))))
        return await _first_or_last(copies)
    finally:
        for task in copies:
            task.cancel()  # does nothing to one that has ended


async def _first_or_last(copies: "list[asyncio.Task[_Answer | grpc.RpcError]]") -> _Answer:
    error = grpc.RpcError()
    for copy in asyncio.as_completed(copies):
        ending = await copy
        if not isinstance(ending, grpc.RpcError):
            return ending
        error = ending
    raise error


async def _ending(copy: Awaitable[_Answer]) -> _Answer | grpc.RpcError:
    """Its answer or its error: an error that nobody looks at any more is not worth a warning."""
    try:
        return await answer_to(copy)
    except grpc.RpcError as error:
        return error
