"""How far a consumer group has come, seen from outside: for tools, which never join it."""

import logging
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from confluent_kafka import Consumer, ConsumerGroupState, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from interlude.servicekit.errors import Unavailable
from interlude.servicekit.records import Place

_ANSWER_SECONDS: Final = 10.0


class Committed(NamedTuple):
    """What a group has committed for one partition: where it goes on, and what stands beside that."""

    offset: int
    metadata: str


class GroupOffsets:
    """What `group_id` has committed in `topics`. Raises `Unavailable` while Kafka does not answer."""

    def __init__(self, bootstrap: str, group_id: str, topics: Iterable[str]) -> None:
        self._bootstrap = bootstrap
        self._group_id = group_id
        self._topics = tuple(topics)
        self._consumer = Consumer(
            {"bootstrap.servers": bootstrap, "group.id": group_id, "enable.auto.commit": False},
            logger=logging.getLogger("kafka"),
        )

    def places(self) -> list[Place]:
        """Every partition of the topics, sorted."""
        try:
            topics = self._consumer.list_topics(timeout=_ANSWER_SECONDS).topics
        except KafkaException as error:
            raise self._unavailable(error) from error
        return [
            Place(topic, number)
            for topic in sorted(self._topics)
            if topic in topics
            for number in sorted(topics[topic].partitions)
        ]

    def committed(self, places: Sequence[Place]) -> dict[Place, Committed]:
        """By partition; those for which nothing is committed are missing."""
        partitions = [TopicPartition(*place) for place in places]
        try:
            found = self._consumer.committed(partitions, timeout=_ANSWER_SECONDS) if partitions else []
        except KafkaException as error:
            raise self._unavailable(error) from error
        if any(partition.error for partition in found):
            raise Unavailable(f"Kafka at {self._bootstrap} does not say what {self._group_id} has committed")
        return {
            Place(partition.topic, partition.partition): Committed(partition.offset, partition.metadata or "")
            for partition in found
            if partition.offset >= 0
        }

    def has_members(self) -> bool:
        """Whether anybody reads in the group now."""
        admin = AdminClient({"bootstrap.servers": self._bootstrap})
        try:
            group = admin.describe_consumer_groups([self._group_id])[self._group_id].result(_ANSWER_SECONDS)
        except KafkaException as error:
            raise self._unavailable(error) from error
        return group.state not in (ConsumerGroupState.EMPTY, ConsumerGroupState.DEAD) and bool(group.members)

    def close(self) -> None:
        """Ends the connection."""
        self._consumer.close()

    def _unavailable(self, error: KafkaException) -> Unavailable:
        return Unavailable(f"Kafka at {self._bootstrap} does not answer: {error.args[0].str()}")
