"""The one Kafka loop of all services: poll a batch, handle it, commit it.

Delivery is at least once: offsets are committed after the handler returned, so a crash repeats a batch and never skips one.
"""

import logging
import threading
import time
from collections.abc import Sequence
from contextvars import copy_context
from dataclasses import dataclass
from typing import Final, Protocol

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from interlude.servicekit.errors import Unavailable
from interlude.servicekit.telemetry import Health

_FIRST_RECORD_SECONDS: Final = 0.1
_RETRY_SECONDS: Final = 0.25
_START_SECONDS: Final = 10.0
_WAITING_OUT: Final = frozenset(
    {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._RESOLVE, KafkaError._TIMED_OUT}
)

log = structlog.get_logger()


class BatchHandler(Protocol):
    """What is done with records. Raises `Unavailable` to be called again with the same batch; any other error stops the
    service before the batch is committed."""

    def handle(self, batch: Sequence[Message]) -> None: ...


@dataclass(frozen=True, slots=True)
class ConsumerSettings:
    """How a group reads. `max_records` bounds a batch; a member that was killed keeps its partitions for `session_timeout_ms`;
    one that stops gives a Kafka that hangs `leave_timeout_ms`. What was handled within `commit_interval_ms` of a kill comes again.

    Of `first_topics`, all that is in Kafka when partitions are assigned is handled before any record of the other topics.
    """

    bootstrap: str
    group_id: str
    topics: tuple[str, ...]
    client_id: str
    max_records: int = 1000
    fetch_wait_ms: int = 10
    commit_interval_ms: int = 100
    session_timeout_ms: int = 10_000
    leave_timeout_ms: int = 8000
    first_topics: tuple[str, ...] = ()


class UnequalPartitions(Exception):
    """Topics that one consumer must read together have different numbers of partitions, or do not exist."""


class ConsumerLoop:
    """Runs a `BatchHandler` over topics with equal partition counts."""

    def __init__(self, settings: ConsumerSettings, handler: BatchHandler, health: Health) -> None:
        self._settings = settings
        self._handler = handler
        self._health = health
        self._pending: list[Message] = []
        self._handled: dict[tuple[str, int], int] = {}
        self._uncommitted = False
        self._commit_due_seconds = 0.0
        self._owned: set[tuple[str, int]] = set()
        self._waiting = False
        self._behind: set[tuple[str, int]] = set()
        """Partitions of `first_topics` whose end was not reached since they were assigned."""
        self._holding = False
        self._consumer = Consumer(
            {
                "bootstrap.servers": settings.bootstrap,
                "group.id": settings.group_id,
                "client.id": settings.client_id,
                # Equal ranges of equal topics: one consumer owns a customer's partition in all of them.
                "partition.assignment.strategy": "range",
                "auto.offset.reset": "earliest",
                "enable.partition.eof": bool(settings.first_topics),
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "allow.auto.create.topics": False,
                "fetch.wait.max.ms": settings.fetch_wait_ms,
                "fetch.min.bytes": 1,
                "queued.min.messages": 20_000,
                "session.timeout.ms": settings.session_timeout_ms,
                "heartbeat.interval.ms": settings.session_timeout_ms // 3,
            },
            logger=logging.getLogger("kafka"),
        )

    def run(self, stop: threading.Event) -> None:
        """Until `stop`:

        1. poll: the first record, then whatever else is there already;
        2. handle the batch, again and again while something it needs is away (partitions paused, membership kept);
        3. commit its offsets without waiting, at most every `commit_interval_ms`: a commit costs Kafka more than a small batch;

        and at the end commit what was handled and leave the group.
        """
        self._await_equal_partitions(stop)
        self._consumer.subscribe(
            list(self._settings.topics), on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost
        )
        try:
            while not stop.is_set():
                self._health.beat()
                self._pending = self._poll_batch()
                if self._pending and self._handle_pending(stop):
                    self._note_handled()
                self._commit_when_due()
                self._release_held()
        finally:
            self._leave()

    def _poll_batch(self) -> list[Message]:
        first = self._consumer.poll(_FIRST_RECORD_SECONDS)
        if first is None:
            return []
        records = [first, *self._consumer.consume(self._settings.max_records - 1, 0)]
        records = [record for record in records if not self._is_end(record) and not _is_error(record)]
        # Partitions may be revoked while records are collected: committing for them would rewind their next owner.
        return [record for record in records if (_topic(record), _partition(record)) in self._owned]

    def _is_end(self, record: Message) -> bool:
        """Whether `record` only says that its partition was read to the end."""
        error = record.error()
        if error is None or error.code() != KafkaError._PARTITION_EOF:
            return False
        self._behind.discard((_topic(record), _partition(record)))
        return True

    def _release_held(self) -> None:
        """Let the other topics flow when nothing of the first ones is missing any more."""
        if self._holding and not self._behind:
            log.info("caught up", topics=self._settings.first_topics)
            self._holding = False
            self._consumer.resume(self._consumer.assignment())
            self._health.ready()

    def _handle_pending(self, stop: threading.Event) -> bool:
        """Handle the pending batch; False when the service stops before it could be handled."""
        while self._pending:
            try:
                self._handler.handle(self._pending)
            except Unavailable as reason:
                self._wait(str(reason))
                if stop.is_set():
                    return False
            else:
                self._resume()
                return True
        self._resume()
        return False

    def _wait(self, reason: str) -> None:
        if not self._waiting:
            log.warning("waiting", reason=reason)
            self._waiting = True
            self._health.unready(reason)
            self._consumer.pause(self._consumer.assignment())
        self._health.beat()
        # Paused partitions give no records; the call keeps us a member of the group and serves rebalances.
        record = self._consumer.poll(_RETRY_SECONDS)
        if record is not None and not self._is_end(record) and not _is_error(record):
            self._pending.append(record)  # fetched before the pause took hold

    def _resume(self) -> None:
        if self._waiting:
            log.info("resumed")
            self._waiting = False
            if not self._holding:
                self._health.ready()
            self._consumer.resume(self._flowing(self._consumer.assignment()))

    def _flowing(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        """Those that are not held back for the first topics."""
        return [p for p in partitions if not self._holding or p.topic in self._settings.first_topics]

    def _note_handled(self) -> None:
        for record in self._pending:
            self._handled[(_topic(record), _partition(record))] = _offset(record) + 1
        self._pending = []
        self._uncommitted = True

    def _commit_when_due(self) -> None:
        if self._uncommitted and time.monotonic() >= self._commit_due_seconds:
            self._commit_due_seconds = time.monotonic() + self._settings.commit_interval_ms / 1000
            self._commit()

    def _commit(self) -> None:
        self._uncommitted = False
        if not self._handled:
            return  # the partitions are lost
        try:
            self._consumer.commit(offsets=self._handled_offsets(), asynchronous=True)
        except KafkaException as error:
            # The batch is repeated after a restart, which handlers allow for; the next commit covers this one.
            log.warning("commit failed", error=error.args[0].name())

    def _leave(self) -> None:
        """Commit and leave the group, in a thread: both calls would wait for ever for a Kafka that hangs."""
        in_context = copy_context().run
        leaving = threading.Thread(target=in_context, args=(self._commit_and_close,), name="leave", daemon=True)
        leaving.start()
        leaving.join(self._settings.leave_timeout_ms / 1000)
        if leaving.is_alive():
            # Costs a repetition after the next start, which handlers allow for.
            log.warning("left without an answer", waited_ms=self._settings.leave_timeout_ms)

    def _commit_and_close(self) -> None:
        try:
            if self._handled:
                self._consumer.commit(offsets=self._handled_offsets(), asynchronous=False)
        except KafkaException as error:
            log.warning("commit failed", error=error.args[0].name())
        self._consumer.close()

    def _handled_offsets(self) -> list[TopicPartition]:
        return [TopicPartition(topic, partition, end) for (topic, partition), end in self._handled.items()]

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        log.info("partitions assigned", partitions=sorted(f"{p.topic}/{p.partition}" for p in partitions))
        self._owned = {(partition.topic, partition.partition) for partition in partitions}
        self._behind = {(p.topic, p.partition) for p in partitions if p.topic in self._settings.first_topics}
        self._holding = bool(self._behind)
        flowing = [] if self._waiting else self._flowing(partitions)
        consumer.assign(partitions)
        consumer.pause([partition for partition in partitions if partition not in flowing])
        if self._holding:
            self._health.unready(f"all of {', '.join(self._settings.first_topics)}")
        elif not self._waiting:
            self._health.ready()

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        log.info("partitions revoked", count=len(partitions))
        if self._uncommitted:
            self._commit()  # or their next owner would begin with what is done
        self._forget(consumer, partitions)

    def _lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        log.warning("partitions lost", count=len(partitions))
        self._forget(consumer, partitions)

    def _forget(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        # A pause outlives the assignment: without this, a partition given back to us later would never flow again.
        consumer.resume(partitions)
        # A batch that still waits belongs to whoever owns the partitions next: its offsets were never committed.
        gone = {(partition.topic, partition.partition) for partition in partitions}
        self._owned -= gone
        self._pending = [record for record in self._pending if (_topic(record), _partition(record)) not in gone]
        self._handled = {owner: end for owner, end in self._handled.items() if owner not in gone}

    def _await_equal_partitions(self, stop: threading.Event) -> None:
        while not stop.is_set():
            self._health.beat()
            try:
                metadata = self._consumer.list_topics(timeout=_START_SECONDS).topics
            except KafkaException:
                self._health.unready("Kafka")
                log.warning("waiting", reason="Kafka does not answer")
                continue
            counts = {
                topic: len(metadata[topic].partitions) if topic in metadata else 0 for topic in self._settings.topics
            }
            if len(set(counts.values())) == 1 and 0 not in counts.values():
                return
            described = ", ".join(f"{topic} {count}" for topic, count in sorted(counts.items()))
            raise UnequalPartitions(f"these topics must exist with equal numbers of partitions: {described}")


def _is_error(record: Message) -> bool:
    error = record.error()
    if error is None:
        return False
    if error.code() in _WAITING_OUT or error.retriable():
        log.warning("kafka error", error=error.name())
        return True
    raise KafkaException(error)


def _topic(record: Message) -> str:
    topic = record.topic()
    if topic is None:
        raise ValueError("a record without a topic")
    return topic


def _partition(record: Message) -> int:
    return record.partition() or 0


def _offset(record: Message) -> int:
    return record.offset() or 0
