"""The decision log behind the answers: what was decided is remembered at once and written a moment later.

Turning an answer into a record and handing it to Kafka costs as much as the decision itself. Answers therefore only append to
a bounded queue; one thread writes it in short bursts, and offers the interpreter to callers after every few decisions.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from interlude.v1 import decision_pb2 as pb
from services.decision.engine import Answer
from services.decision.journal import Journal
from services.decision.responses import to_log

WAITING_LIMIT: Final = 20_000
"""Decisions that may wait to be written, some 50 MB; more are dropped and counted."""

WRITE_SECONDS: Final = 0.1
"""Pause between bursts."""

PIECE: Final = 16
"""Decisions written before the interpreter is offered to whoever waits for it, some 200 µs. Kept until it is taken away, it
would cost an answer half a millisecond after each of its words with Redis."""


class DecisionLog:
    """Safe between threads: many append, one writes."""

    def __init__(self, journal: Journal, on_dropped: Callable[[], None], *, service_version: str) -> None:
        self._journal = journal
        self._on_dropped = on_dropped
        self._service_version = service_version
        self._waiting: deque[tuple[pb.DecideRequest, pb.DecideResponse, Answer]] = deque()

    def append(self, request: pb.DecideRequest, response: pb.DecideResponse, answer: Answer) -> None:
        """Remember one decision. Never waits."""
        if len(self._waiting) >= WAITING_LIMIT:
            self._on_dropped()
            return
        self._waiting.append((request, response, answer))

    def write_waiting(self) -> None:
        """Hand everything that waits to the journal."""
        while self._waiting:
            for _ in range(min(PIECE, len(self._waiting))):
                request, response, answer = self._waiting.popleft()
                self._journal.log_decision(to_log(request, response, answer, self._service_version))
            if self._waiting:
                time.sleep(0)

    def write_until(self, stop: threading.Event) -> None:
        """Write in bursts until `stop`; for a thread of its own."""
        while not stop.wait(WRITE_SECONDS):
            self.write_waiting()
