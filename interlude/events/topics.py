"""Names of the Kafka topics, which of them are compacted, and how all of them are partitioned."""

from enum import StrEnum
from typing import Final


class Topic(StrEnum):
    """The value is the topic's name in Kafka; proto/interlude/v1/events.proto says what is in it."""

    LISTENS = "listens"
    AD_EVENTS = "ad-events"
    CUSTOMERS = "customers"
    DECISIONS = "decisions"
    INTERESTS = "interests"
    SMS_REQUESTS = "sms-requests"
    SMS_EVENTS = "sms-events"
    CAMPAIGNS = "campaigns"


COMPACTED: Final[frozenset[Topic]] = frozenset({Topic.CUSTOMERS, Topic.CAMPAIGNS})

PARTITIONER: Final = "murmur2_random"
"""What Java clients and log shippers use: every producer must, or one customer's events end in two partitions."""


def dead_letter_topic(topic: str, group: str) -> str:
    """Where the consumer group `group` puts the events of `topic` that it cannot take."""
    return f"{topic}.{group}.dlq"
