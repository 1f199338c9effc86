"""What a player team hears of each call: enough for its own metrics, in whatever library it has."""

import logging
import time
from types import TracebackType
from typing import Protocol, Self

_LOG = logging.getLogger(__name__)


class CallObserver(Protocol):
    """Called once when a call has ended, on the thread (or loop) that made it: be quick, do not block."""

    def __call__(self, method: str, status: str, latency_seconds: float, hedged: bool, /) -> None:
        """`method` is "Decide" or "ReportOutcome"; `status` the gRPC status by name, "OK" for an answer; `latency_seconds` what
        the caller waited; `hedged` whether a second copy was sent.
        """


class ObservedCall:
    """Context of one call: times it, and tells the observer when it ends. `status` and `hedged` are set on the way."""

    def __init__(self, method: str, observer: CallObserver | None) -> None:
        self.method = method
        self.status = "OK"
        self.hedged = False
        self.latency_seconds = 0.0
        self._observer = observer
        self._started = time.perf_counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.latency_seconds = time.perf_counter() - self._started
        if error is not None:
            self.status = "CANCELLED"  # the caller has gone: everything else is answered
        if self._observer is None:
            return
        try:
            self._observer(self.method, self.status, self.latency_seconds, self.hedged)
        except Exception:  # a player's metrics must not cost it the answer
            _LOG.exception("the observer of calls failed")
