"""The topics of the whole system, created the way that the services need them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from interlude.events.topics import COMPACTED, Topic, dead_letter_topic

DEFAULT_PARTITIONS: Final = 4
_MIB: Final = 1024 * 1024
_CUSTOMER_TOPIC_BYTES: Final = 2 * _MIB
# A dead letter is the record as it came plus what was wrong with it.
_DEAD_LETTER_BYTES: Final = 4 * _MIB
_TIMEOUT_S: Final = 30.0
_READERS: Final = {
    "enricher": (Topic.LISTENS, Topic.AD_EVENTS, Topic.CUSTOMERS, Topic.SMS_EVENTS),
    "sms": (Topic.SMS_REQUESTS, Topic.CUSTOMERS),
}


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """One topic as it is to be."""

    name: str
    partitions: int
    max_message_bytes: int
    compacted: bool = False

    def to_new_topic(self) -> NewTopic:
        """For the admin client. Nothing is deleted for its age."""
        settings = {
            "max.message.bytes": str(self.max_message_bytes),
            "cleanup.policy": "compact" if self.compacted else "delete",
            "retention.ms": "-1",
        }
        return NewTopic(self.name, num_partitions=self.partitions, replication_factor=1, config=settings)


def plan_topics(partitions: int = DEFAULT_PARTITIONS, prefix: str = "") -> tuple[TopicPlan, ...]:
    """Every topic: those about customers with the same number of partitions, and the readers' dead letters.

    `prefix` goes before every name, to give a test topics of its own.
    """
    customer_topics = [
        TopicPlan(prefix + topic, partitions, _CUSTOMER_TOPIC_BYTES, compacted=topic in COMPACTED) for topic in Topic
    ]
    dead_letters = [
        TopicPlan(dead_letter_topic(prefix + topic, group), 1, _DEAD_LETTER_BYTES)
        for group, topics in _READERS.items()
        for topic in topics
    ]
    return (*customer_topics, *dead_letters)


def create_topics(bootstrap: str, partitions: int = DEFAULT_PARTITIONS, prefix: str = "") -> None:
    """Creates what is missing of `plan_topics` and returns when all are there. Raises KafkaException."""
    create(bootstrap, plan_topics(partitions, prefix))


def create(bootstrap: str, plans: Sequence[TopicPlan]) -> None:
    """Creates those that do not exist yet. Raises KafkaException."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    created = admin.create_topics([plan.to_new_topic() for plan in plans], operation_timeout=_TIMEOUT_S)
    for result in created.values():
        _finish(result.exception(_TIMEOUT_S), KafkaError.TOPIC_ALREADY_EXISTS)


def delete_topics(bootstrap: str, names: Iterable[str]) -> None:
    """Deletes them with all they hold; one that does not exist is fine. Raises KafkaException."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for result in admin.delete_topics(list(names), operation_timeout=_TIMEOUT_S).values():
        _finish(result.exception(_TIMEOUT_S), KafkaError.UNKNOWN_TOPIC_OR_PART)


def recreate_topics(bootstrap: str, partitions: int = DEFAULT_PARTITIONS) -> None:
    """Empties the system's topics by deleting and creating them. Raises KafkaException."""
    plans = plan_topics(partitions)
    delete_topics(bootstrap, [plan.name for plan in plans])
    create(bootstrap, plans)


def _finish(error: BaseException | None, tolerated: int) -> None:
    if error is None:
        return
    if isinstance(error, KafkaException) and error.args[0].code() == tolerated:
        return
    raise error
