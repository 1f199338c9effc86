"""Clients of Kafka that will never find it again, told apart from a Kafka that is away.

A broker that was cut off from its controller answers for a moment that there are no brokers. librdkafka 2.10 to 2.16 forgets all
it knew then, asks nobody any more, and stays so for good (https://github.com/confluentinc/librdkafka/issues/5301). It does not say
so; what can be seen is that it no longer gets an answer to anything. A new client helps, and does no harm where Kafka is away.
"""

import time
from collections.abc import Callable
from typing import Final

import structlog
from confluent_kafka import Consumer, KafkaException, Producer

PATIENCE_SECONDS: Final = 10.0
"""Nothing heard for so long, although it was asked: another client."""
_ASK_EVERY_SECONDS: Final = 2.0
_ANSWER_SECONDS: Final = 1.0

log = structlog.get_logger()


class Deafness:
    """Knows for how long a client has heard nothing of Kafka. Asks Kafka itself only where nothing else was heard."""

    def __init__(self, now_seconds: Callable[[], float] = time.monotonic) -> None:
        self._now_seconds = now_seconds
        self._heard_seconds = now_seconds()
        self._ask_due_seconds = self._heard_seconds + _ASK_EVERY_SECONDS

    def heard(self) -> None:
        """Something came from Kafka."""
        self._heard_seconds = self._now_seconds()
        self._ask_due_seconds = self._heard_seconds + _ASK_EVERY_SECONDS

    def is_total(self, client: Consumer | Producer) -> bool:
        """Whether `client` has heard nothing for `PATIENCE_SECONDS`. Now and then waits up to a second for Kafka's answer."""
        if self._now_seconds() < self._ask_due_seconds:
            return False
        try:
            client.list_topics(timeout=_ANSWER_SECONDS)
        except KafkaException as error:
            self._ask_due_seconds = self._now_seconds() + _ASK_EVERY_SECONDS
            silent_seconds = self._now_seconds() - self._heard_seconds
            log.warning("kafka does not answer", error=error.args[0].name(), silent_seconds=round(silent_seconds, 1))
            return silent_seconds >= PATIENCE_SECONDS
        self.heard()
        return False
