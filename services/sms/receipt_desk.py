"""From what the operator delivers to the last event of a request: a thread of its own, with its own Redis and Kafka clients."""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

import structlog

from interlude.servicekit.errors import Unavailable
from services.sms.journal import SentText, Status
from services.sms.metrics import SmsMetrics
from services.sms.policy import Reason
from services.sms.receipts import DeliveryState, Receipt

UNMATCHED_SECONDS: Final = 10.0
"""A receipt may come before the id of its message is in Redis; after this long it is not one of ours."""

_WAITING_LIMIT: Final = 100_000
_BATCH: Final = 500
_TOGETHER_LIMIT: Final = 5000
_TURN_SECONDS: Final = 0.2
_ENDS: Final = {
    DeliveryState.DELIVERED: (Status.DELIVERED, Reason.NONE),
    DeliveryState.UNDELIVERABLE: (Status.FAILED, Reason.UNDELIVERABLE),
}

log = structlog.get_logger()


class SentMessages(Protocol):
    """Which request a message of the operator belongs to."""

    def find_sent(self, message_ids: Sequence[str]) -> dict[str, SentText]: ...

    def forget_sent(self, message_ids: Sequence[str]) -> None: ...


class Outbox(Protocol):
    """Queues events for Kafka and waits for them."""

    def put_event(self, sent: SentText, status: Status, reason: Reason, at_ms: int, message_id: str = "") -> bool: ...

    def flush(self) -> None: ...


class _Waiting(NamedTuple):
    receipt: Receipt
    since_seconds: float


class ReceiptDesk:
    """Matches receipts with requests. `take` is for any thread, `run` for one."""

    def __init__(
        self,
        sent: SentMessages,
        outbox: Outbox,
        metrics: SmsMetrics,
        *,
        now_ms: Callable[[], int],
        now_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sent = sent
        self._outbox = outbox
        self._metrics = metrics
        self._now_ms = now_ms
        self._now_seconds = now_seconds
        self._arriving: queue.Queue[Receipt] = queue.Queue(_WAITING_LIMIT)
        self._waiting: list[_Waiting] = []

    def take(self, receipt: Receipt | None) -> None:
        """Queue a receipt; None is something that is not a receipt."""
        if receipt is None:
            self._count("other")
        elif receipt.state not in _ENDS:
            self._count(receipt.state.value)
        else:
            try:
                self._arriving.put_nowait(receipt)
            except queue.Full:
                self._count("dropped")

    def run(self, stop: threading.Event) -> None:
        """Work until `stop`, then once more for what is there."""
        while not stop.is_set():
            self._collect(_TURN_SECONDS)
            self.work()
        self._collect(0)
        self.work()

    def work(self) -> None:
        """One turn: 1. find the requests; 2. tell, and wait until Kafka has it; 3. forget their messages."""
        try:
            self._match()
        except Unavailable as reason:
            # Nothing was forgotten: the same receipts are tried in the next turn, and give the same events.
            log.warning("receipts wait", reason=str(reason))

    def _collect(self, wait_seconds: float) -> None:
        try:
            if wait_seconds:
                self._wait_for(self._arriving.get(timeout=wait_seconds))
            for _ in range(min(_BATCH, _TOGETHER_LIMIT - len(self._waiting))):
                self._wait_for(self._arriving.get_nowait())
        except queue.Empty:
            return

    def _wait_for(self, receipt: Receipt) -> None:
        self._waiting.append(_Waiting(receipt, self._now_seconds()))

    def _match(self) -> None:
        found = self._sent.find_sent([one.receipt.message_id for one in self._waiting])
        ended: dict[str, Receipt] = {}
        for one in self._waiting:
            if one.receipt.message_id in found:
                ended.setdefault(one.receipt.message_id, one.receipt)  # the first word counts
        for message_id, receipt in ended.items():
            status, reason = _ENDS[receipt.state]
            self._outbox.put_event(found[message_id], status, reason, self._now_ms(), message_id)
        if ended:
            self._outbox.flush()
            self._sent.forget_sent(list(ended))
        for receipt in ended.values():
            self._count(receipt.state.value)
        self._keep_young(ended)

    def _keep_young(self, ended: dict[str, Receipt]) -> None:
        oldest_seconds = self._now_seconds() - UNMATCHED_SECONDS
        unmatched = [one for one in self._waiting if one.receipt.message_id not in ended]
        self._waiting = [one for one in unmatched if one.since_seconds >= oldest_seconds]
        for _ in range(len(unmatched) - len(self._waiting)):
            self._count("unknown")

    def _count(self, kind: str) -> None:
        self._metrics.receipts.labels(kind).inc()
