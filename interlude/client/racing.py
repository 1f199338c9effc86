"""Two copies of one question, for threads: the first answer wins, the other copy is cancelled."""

import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TypeVar

import grpc

_Answer = TypeVar("_Answer")


def first_answer(
    send: Callable[[float], "grpc.Future[_Answer]"],
    deadline_seconds: float,
    delay_seconds: float,
    may_send_again: Callable[[], bool],
) -> _Answer:
    """Sends one copy and, when it has not ended after `delay_seconds` and `may_send_again`, another for the rest of the time.

    `send` takes the copy's timeout in seconds. An error of one copy waits for the other. Raises what the last copy ended with.
    """
    started = time.monotonic()
    ended: SimpleQueue[grpc.Future[_Answer]] = SimpleQueue()
    copies = [send(deadline_seconds)]
    copies[0].add_done_callback(ended.put)
    try:
        last = _first_or_none(ended, delay_seconds)
        if last is None:
            if may_send_again():
                copies.append(send(deadline_seconds - (time.monotonic() - started)))
                copies[1].add_done_callback(ended.put)
            last = ended.get()
            if last.exception() is not None and len(copies) > 1:
                last = ended.get()
        return last.result()
    finally:
        for copy in copies:
            copy.cancel()  # does nothing to one that has ended


def _first_or_none(ended: "SimpleQueue[grpc.Future[_Answer]]", timeout_seconds: float) -> "grpc.Future[_Answer] | None":
    try:
        return ended.get(timeout=timeout_seconds)
    except Empty:
        return None
