"""The check before a group reads: topics whose records belong together must have equal numbers of partitions."""

import threading
from collections.abc import Sequence
from typing import Final

import structlog
from confluent_kafka import Consumer, KafkaException

from interlude.servicekit.telemetry import Health

_ANSWER_SECONDS: Final = 10.0

log = structlog.get_logger()


class UnequalPartitions(Exception):
    """Topics that one consumer must read together have different numbers of partitions, or do not exist."""


def await_equal_partitions(consumer: Consumer, topics: Sequence[str], health: Health, stop: threading.Event) -> None:
    """Return when Kafka says that all of `topics` have as many partitions, or at `stop`. Raises `UnequalPartitions`."""
    while not stop.is_set():
        health.beat()
        try:
            metadata = consumer.list_topics(timeout=_ANSWER_SECONDS).topics
        except KafkaException:
            health.unready("Kafka")
            log.warning("waiting", reason="Kafka does not answer")
            continue
        counts = {topic: len(metadata[topic].partitions) if topic in metadata else 0 for topic in topics}
        if len(set(counts.values())) == 1 and 0 not in counts.values():
            return
        described = ", ".join(f"{topic} {count}" for topic, count in sorted(counts.items()))
        raise UnequalPartitions(f"these topics must exist with equal numbers of partitions: {described}")
