"""The one Kafka loop of all services: poll a batch, handle it, commit it.

Delivery is at least once: offsets are committed after the handler returned, so a crash repeats a batch and never skips one.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from contextvars import copy_context
from typing import Final, Protocol

import structlog
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from interlude.servicekit.consumer_settings import ConsumerSettings, GroupProtocol, client_configuration
from interlude.servicekit.deafness import Deafness
from interlude.servicekit.equal_partitions import await_equal_partitions
from interlude.servicekit.errors import Unavailable
from interlude.servicekit.offset_commits import OffsetCommits
from interlude.servicekit.partition_flow import PartitionFlow
from interlude.servicekit.placing import Placement, Rewind, restarts_of, starts_of
from interlude.servicekit.records import drop_unreadable_headers, is_end, is_error, place_of, places_of
from interlude.servicekit.telemetry import Health

_FIRST_RECORD_SECONDS: Final = 0.1
_RETRY_SECONDS: Final = 0.25

log = structlog.get_logger()


class BatchHandler(Protocol):
    """What is done with records. Raises `Unavailable` to be called again with the same batch, `Rewind` to go on elsewhere; any
    other error stops the service before the batch is committed."""

    def handle(self, batch: Sequence[Message]) -> None: ...


class ConsumerLoop:
    """Runs a `BatchHandler` over topics with equal partition counts. Without a `placement` what is committed is where to go on."""

    def __init__(
        self,
        settings: ConsumerSettings,
        handler: BatchHandler,
        health: Health,
        placement: Placement | None = None,
        on_batch_lost: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_batch_lost` is called when a rebalance or a rewind took away all of a batch that waited to be handled again."""
        self._settings = settings
        self._on_batch_lost = on_batch_lost
        self._handler = handler
        self._health = health
        self._placement = placement
        self._stop = threading.Event()
        self._connect()

    def _connect(self) -> None:
        """A client of Kafka that owns nothing yet."""
        settings = self._settings
        self._pending: list[Message] = []
        metadata = self._placement.metadata if self._placement else lambda: ""

        def answered(error: KafkaError | None, partitions: list[TopicPartition]) -> None:
            commits.answered(error, partitions)  # its own: what a client that was given up hears late changes nothing

        self._consumer = Consumer(
            {**client_configuration(settings), "on_commit": answered}, logger=logging.getLogger("kafka")
        )
        self._commits = commits = OffsetCommits(self._consumer, settings.commit_interval_ms, metadata)
        self._deafness = Deafness()
        self._flow = PartitionFlow(
            self._consumer,
            self._health,
            settings.first_topics,
            incremental=settings.protocol is GroupProtocol.CONSUMER,
        )

    def run(self, stop: threading.Event) -> None:
        """Until `stop`:

        1. poll: the first record, then whatever else is there already;
        2. handle the batch, again and again while something it needs is away (partitions paused, membership kept);
        3. commit its offsets without waiting;

        and at the end commit what was handled and leave the group. Raises `UnequalPartitions`.
        """
        self._stop = stop
        await_equal_partitions(self._consumer, self._settings.topics, self._health, stop)
        self._subscribe()
        try:
            while not stop.is_set():
                self._health.beat()
                try:
                    self._turn(stop)
                except Rewind as reason:
                    self._rewind(reason)
                self._commits.commit_when_due()
                self._flow.release_held()
                self._reconnect_when_forsaken()
        finally:
            self._leave()

    def _turn(self, stop: threading.Event) -> None:
        self._pending = self._poll_batch()
        if self._pending and self._handle_pending(stop):
            self._commits.note(self._pending)
            self._pending = []
        if self._placement:
            self._placement.check()

    def _rewind(self, reason: Rewind) -> None:
        """Begin every partition anew: nothing that was read or handled before the rewind may be committed after it."""
        if self._placement is None:
            raise ValueError("a handler rewinds, and nobody knows where to") from reason
        self._pending = []
        self._on_batch_lost()
        starts = restarts_of(self._placement, self._flow.places())
        log.info("rewound", reason=str(reason), offsets={f"{p.topic}/{p.partition}": p.offset for p in starts})
        self._commits.restart(starts)
        self._flow.restart(starts)

    def _subscribe(self) -> None:
        self._consumer.subscribe(
            list(self._settings.topics), on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost
        )

    def _reconnect_when_forsaken(self) -> None:
        """Begin again with another client where this one hears nothing of Kafka any more, or nothing of what it commits. What was
        not committed is repeated."""
        if not self._commits.are_ignored and not self._deafness.is_total(self._consumer):
            return
        log.warning("reconnecting")
        self._health.unready("Kafka")
        deaf = self._consumer
        self._connect()
        # It may wait for ever for an answer to its leave; Kafka ends its session without one.
        threading.Thread(target=deaf.close, name="deaf", daemon=True).start()
        self._subscribe()

    def _poll_batch(self) -> list[Message]:
        first = self._consumer.poll(_FIRST_RECORD_SECONDS)
        if first is None:
            return []
        self._deafness.heard()
        records = [first, *self._consumer.consume(self._settings.max_records - 1, 0)]
        # Partitions may be revoked while records are collected: committing for them would rewind their next owner.
        owns = self._flow.owns
        return [record for record in records if self._is_record(record) and owns(record)]

    def _is_record(self, record: Message) -> bool:
        if record.error() is None:
            drop_unreadable_headers(record)
            return True
        if is_end(record):
            self._flow.reached_end(place_of(record))
            return False
        return not is_error(record)

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
                self._flow.go_on()
                return True
        self._flow.go_on()
        self._on_batch_lost()
        return False

    def _wait(self, reason: str) -> None:
        self._flow.wait(reason)
        self._health.beat()
        # Paused partitions give no records; the call keeps us a member of the group and serves rebalances.
        record = self._consumer.poll(_RETRY_SECONDS)
        if record is not None and self._is_record(record):
            self._pending.append(record)  # fetched before the pause took hold
        self._reconnect_when_forsaken()

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
        self._commits.commit_and_wait()
        self._consumer.close()

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if consumer is not self._consumer:
            return  # one that was given up
        log.info("partitions assigned", partitions=sorted(f"{p.topic}/{p.partition}" for p in partitions))
        if self._placement:
            partitions = starts_of(self._consumer, self._placement, partitions, self._health, self._stop)
        self._flow.take(partitions)

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if consumer is not self._consumer:
            return
        log.info("partitions revoked", count=len(partitions))
        self._commits.commit()  # or their next owner would begin with what is done
        self._give(partitions)

    def _lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if consumer is not self._consumer:
            return
        # They have other owners already, who may have committed: nothing is committed for them any more.
        log.warning("partitions lost", count=len(partitions))
        self._give(partitions)
        self._health.unready("Kafka: it gave our partitions to others, or does not answer")

    def _give(self, partitions: list[TopicPartition]) -> None:
        gone = places_of(partitions)
        # A batch that still waits belongs to whoever owns the partitions next: its offsets were never committed.
        self._pending = [record for record in self._pending if place_of(record) not in gone]
        self._commits.forget(gone)
        self._flow.give(partitions)
