"""Sending records to Kafka: never blocking the caller, counting what could not be delivered."""

import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from interlude.servicekit.deafness import Deafness
from interlude.servicekit.errors import Unavailable

RECORD_BYTES_LIMIT: Final = 4 * 1024 * 1024
_POLL_SECONDS: Final = 0.1
_ANSWER_SECONDS: Final = 1.0
_RECONNECT_MS: Final = 1000
_RECOVERY_SECONDS: Final = 3.0
"""By then a client that is not deaf has found a Kafka that answers another one."""
_WRONG_RECORD: Final = frozenset(
    {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG, KafkaError.INVALID_RECORD, KafkaError.POLICY_VIOLATION}
)
"""Kafka refuses the record itself, and would do so again."""

log = structlog.get_logger()

KafkaHeaders = list[tuple[str, str | bytes | None]]

Keep = Callable[[str, bytes, bytes], bool]
"""Offered topic, key and value of a record that Kafka did not take in time; true where it is kept to be sent again."""


class RecordProducer:
    """A Kafka producer with the settings that all of ours share. Safe between threads."""

    def __init__(
        self,
        bootstrap: str,
        *,
        client_id: str,
        partitioner: str,
        linger_ms: int = 0,
        on_undelivered: Callable[[str], None] = lambda _topic: None,
        keep: Keep = lambda _topic, _key, _value: False,
        niceness: int = 0,
    ) -> None:
        """`on_undelivered(topic)` is called for every record that was dropped or given up, unless `keep` kept it. With a
        `niceness` (1 to 19) Kafka's client does its work, which is in threads of its own, only while nobody else wants to."""
        self._on_undelivered = on_undelivered
        self._keep = keep
        self._undelivered = 0
        self._niceness = niceness
        self._settings: dict[str, str | int | bool] = {
            "bootstrap.servers": bootstrap,
            "client.id": client_id,
            "partitioner": partitioner,
            # A report of each delivery would cost the interpreter as much as sending: only failures are told.
            "delivery.report.only.error": True,
            # A Kafka that comes back is found within a second, not ten.
            "reconnect.backoff.max.ms": _RECONNECT_MS,
            "acks": "all",
            "enable.idempotence": True,
            "linger.ms": linger_ms,
            "compression.type": "lz4",
            "message.max.bytes": RECORD_BYTES_LIMIT,
            "queue.buffering.max.messages": 100_000,
            "queue.buffering.max.kbytes": 128 * 1024,
        }
        self._producer = self._start()
        self._deafness = Deafness()

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: KafkaHeaders | None = None) -> bool:
        """Queue one record and return at once; False when the queue is full and the record was dropped."""
        taken = self.try_send(topic, key, value, headers)
        if not taken:
            self._on_undelivered(topic)
        return taken

    def try_send(self, topic: str, key: bytes | None, value: bytes | None, headers: KafkaHeaders | None = None) -> bool:
        """The same for a record that the caller does not drop: nothing is counted."""
        try:
            self._producer.produce(topic, value=value, key=key, headers=headers or [], on_delivery=self._delivered)
        except BufferError:
            return False
        return True

    def flush(self, timeout_seconds: float) -> None:
        """Wait until everything queued is in Kafka. Raises `Unavailable` when some of it is not, in time or at all: then it is
        dropped where Kafka's client hears nothing any more, and there is another client."""
        before = self._undelivered
        waiting = self._producer.flush(timeout_seconds)
        if not waiting:
            self._deafness.heard()
        elif self._deafness.is_total(self._producer):
            self._replace(self._start())
            waiting = 0
        if waiting or self._undelivered > before:
            raise Unavailable(f"{waiting + self._undelivered - before} records are not in Kafka")

    def give_up(self) -> None:
        """Empty the queue: whatever is not in Kafka yet is undelivered. Some of it may be there all the same."""
        _empty(self._producer)

    def poll_until(self, stop: threading.Event) -> None:
        """Serve delivery reports until `stop`; for a thread of its own where nobody calls `flush` regularly. Where Kafka's client
        hears nothing any more though Kafka answers another one, what waits in it is undelivered, and the other takes its place."""
        while not stop.is_set():
            self._producer.poll(_POLL_SECONDS)
            if not len(self._producer):
                self._deafness.heard()  # nothing is waited for
            elif self._deafness.is_total(self._producer):
                self._replace_where_another_hears()

    def _replace_where_another_hears(self) -> None:
        """What waits for a Kafka that is away goes on waiting: nobody is there to queue it again, as there is at a `flush`."""
        another = self._start()
        if _hears(another, _ANSWER_SECONDS) and not _hears(self._producer, _RECOVERY_SECONDS):
            self._replace(another)
        else:
            self._deafness = Deafness()

    def _replace(self, another: Producer) -> None:
        deaf, self._producer, self._deafness = self._producer, another, Deafness()
        log.warning("reconnecting", undelivered=len(deaf))
        _empty(deaf)
        time.sleep(_POLL_SECONDS)
        _empty(deaf)  # of what another thread was just putting in

    def _start(self) -> Producer:
        return _started_with(self._niceness, lambda: Producer(self._settings, logger=logging.getLogger("kafka")))

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            return
        self._undelivered += 1
        topic, key, value = message.topic() or "", message.key(), message.value()
        kept = (
            error.code() not in _WRONG_RECORD
            and isinstance(key, bytes)
            and isinstance(value, bytes)
            and self._keep(topic, key, value)
        )
        if not kept:
            self._on_undelivered(topic)


def _hears(producer: Producer, timeout_seconds: float) -> bool:
    try:
        producer.list_topics(timeout=timeout_seconds)
    except KafkaException:
        return False
    return True


def _empty(producer: Producer) -> None:
    producer.purge()
    producer.flush(0)


def _started_with(niceness: int, start: Callable[[], Producer]) -> Producer:
    """What `start` returns. On Linux a thread is as nice as the one that started it."""

    def be_nice() -> None:
        if niceness and sys.platform == "linux":
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)

    with ThreadPoolExecutor(1, initializer=be_nice) as starter:
        return starter.submit(start).result()
