"""What grpc.aio leaves open: an answer whose bytes are no message is None there, not an error as between threads."""

from collections.abc import Awaitable
from typing import TypeVar

import grpc

_Answer = TypeVar("_Answer")


class UndecodableAnswer(grpc.RpcError):
    """The other side sent bytes that are not the method's answer."""

    def code(self) -> grpc.StatusCode:
        """The status that threads get for it."""
        return grpc.StatusCode.INTERNAL


async def answer_to(call: Awaitable[_Answer]) -> _Answer:
    """The answer to a call of grpc.aio. Raises `UndecodableAnswer`, and what the call raises."""
    answer = await call
    if answer is None:
        raise UndecodableAnswer
    return answer
