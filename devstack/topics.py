"""The topics of the whole system, created the way that the services need them."""

import time
from collections.abc import Callable, Iterable, Sequence
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
_CLIENTS: Final = 3
"""One that asks a Kafka just woken up may never hear of it again (`interlude/servicekit/deafness.py`)."""
_ANSWER_S: Final = _TIMEOUT_S / _CLIENTS
_POLL_S: Final = 0.02
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
    """Creates what is missing of `plan_topics` and returns when all are there. Raises KafkaException, TimeoutError."""
    create(bootstrap, plan_topics(partitions, prefix))


def create(bootstrap: str, plans: Sequence[TopicPlan]) -> None:
    """Creates those that do not exist yet. Raises KafkaException, TimeoutError."""
    for clients_left in reversed(range(_CLIENTS)):
        try:
            admin = _ask_for(bootstrap, plans)
            break
        except TimeoutError:
            if not clients_left:
                raise
    _wait(lambda: all(_has_leaders(admin, plan) for plan in plans), "created")


def _ask_for(bootstrap: str, plans: Sequence[TopicPlan]) -> AdminClient:
    """The client that had an answer. Raises KafkaException, TimeoutError."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    created = admin.create_topics([plan.to_new_topic() for plan in plans], operation_timeout=_ANSWER_S)
    for result in created.values():
        _finish(result.exception(_ANSWER_S), KafkaError.TOPIC_ALREADY_EXISTS)
    return admin


def delete_topics(bootstrap: str, names: Iterable[str]) -> None:
    """Deletes them with all they hold; one that does not exist is fine. Raises KafkaException, TimeoutError."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    gone = set(names)
    for result in admin.delete_topics(list(gone), operation_timeout=_TIMEOUT_S).values():
        _finish(result.exception(_TIMEOUT_S), KafkaError.UNKNOWN_TOPIC_OR_PART)
    _wait(lambda: gone.isdisjoint(admin.list_topics(timeout=_TIMEOUT_S).topics), "deleted")


def recreate_topics(bootstrap: str, partitions: int = DEFAULT_PARTITIONS) -> None:
    """Empties the system's topics by deleting and creating them. Raises KafkaException, TimeoutError."""
    plans = plan_topics(partitions)
    delete_topics(bootstrap, [plan.name for plan in plans])
    create(bootstrap, plans)


def _has_leaders(admin: AdminClient, plan: TopicPlan) -> bool:
    found = admin.list_topics(plan.name, timeout=_TIMEOUT_S).topics[plan.name]
    return found.error is None and len(found.partitions) > 0 and all(p.leader >= 0 for p in found.partitions.values())


def _wait(done: Callable[[], bool], what: str) -> None:
    """The controller answers before the broker acts on it: in between, a record may go into a topic that is going away."""
    deadline = time.monotonic() + _TIMEOUT_S
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError(f"topics were not {what} within {_TIMEOUT_S:.0f} s")
        time.sleep(_POLL_S)


def _finish(error: BaseException | None, tolerated: int) -> None:
    if error is None:
        return
    if isinstance(error, KafkaException) and error.args[0].code() == tolerated:
        return
    raise error
