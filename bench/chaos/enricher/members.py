"""Enrichers as processes of one group, and how far the group has come."""

import threading
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from confluent_kafka import Consumer, KafkaException, TopicPartition

from devstack.ports import LOOPBACK, free_port
from devstack.service import ServiceProcess, http_ready
from devstack.stack import Stack
from services.enricher.handler import STREAMS

SESSION_TIMEOUT_MS: Final = 1500
REDIS_TIMEOUT_MS: Final = 500
FETCHED_KIB: Final = 2048
"""Little, so that memory that grows with what is not handled shows."""
_ANSWER_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.02
_WITHIN_SECONDS: Final = 180.0


class NeverHappened(Exception):
    """The group did not get there in time."""


class Members:
    """Starts and ends enrichers of one group."""

    def __init__(self, stack: Stack, group_id: str, settings: Mapping[str, str] = MappingProxyType({})) -> None:
        self._stack = stack
        self._group_id = group_id
        self._settings = settings
        self.alive: Final[list[ServiceProcess]] = []
        self.launched = 0

    def launch(self) -> ServiceProcess:
        """One more; it joins when it is up."""
        port = free_port()
        environment = {
            "ENRICHER_METRICS_PORT": str(port),
            "ENRICHER_KAFKA_BOOTSTRAP": self._stack.kafka,
            "ENRICHER_REDIS_URL": self._stack.redis,
            "ENRICHER_GROUP_ID": self._group_id,
            "ENRICHER_SESSION_TIMEOUT_MS": str(SESSION_TIMEOUT_MS),
            "ENRICHER_REDIS_TIMEOUT_MS": str(REDIS_TIMEOUT_MS),
            "ENRICHER_FETCHED_KIB": str(FETCHED_KIB),
            **self._settings,
        }
        process = ServiceProcess.launch(
            f"enricher-{self._group_id}-{self.launched}",
            "services.enricher",
            environment,
            ready=http_ready(f"http://{LOOPBACK}:{port}/readyz"),
            log_directory=self._stack.log_directory,
        )
        self.launched += 1
        self.alive.append(process)
        return process

    def kill(self, member: ServiceProcess) -> None:
        """SIGKILL."""
        member.kill()
        self.alive.remove(member)

    def stop(self, member: ServiceProcess) -> None:
        """SIGTERM. Raises NeverHappened where it does not end well."""
        code = member.terminate()
        self.alive.remove(member)
        if code != 0:
            raise NeverHappened(f"{member.name} ended with code {code}:\n{member.log_tail()}")

    def require_alive(self) -> None:
        """Raises NeverHappened where one has ended by itself."""
        for member in self.alive:
            if not member.alive:
                raise NeverHappened(f"{member.name} ended with code {member.exit_code}:\n{member.log_tail()}")

    def end(self) -> None:
        """SIGKILL to whatever is left."""
        for member in self.alive:
            member.kill()
        self.alive.clear()


class Progress:
    """How many records the group has committed."""

    def __init__(self, bootstrap: str, group_id: str) -> None:
        self._consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group_id, "log_level": 0})
        topics = self._consumer.list_topics(timeout=_ANSWER_SECONDS).topics
        self._partitions = [TopicPartition(topic, number) for topic in STREAMS for number in topics[topic].partitions]

    def committed(self) -> int:
        """Records; 0 while Kafka does not say."""
        try:
            offsets = self._consumer.committed(self._partitions, timeout=_ANSWER_SECONDS)
        except KafkaException:
            return 0
        return sum(max(offset.offset, 0) for offset in offsets)

    def reach(self, records: float, check: Callable[[], None]) -> float:
        """Wait until so many are committed, calling `check` now and then; seconds waited. Raises NeverHappened."""
        pause, began = threading.Event(), time.monotonic()
        while self.committed() < records:
            check()
            if time.monotonic() - began > _WITHIN_SECONDS:
                raise NeverHappened(f"{records:,.0f} records are not committed after {_WITHIN_SECONDS:.0f} s")
            pause.wait(_POLL_SECONDS)
        return time.monotonic() - began

    def close(self) -> None:
        """End its connection."""
        self._consumer.close()
