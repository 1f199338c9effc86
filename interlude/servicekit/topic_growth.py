"""More partitions for topics that are read together: for tools, while nobody writes."""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions

from interlude.servicekit.errors import Unavailable
from interlude.servicekit.records import Place

_ANSWER_SECONDS: Final = 10.0
_GROWN_WITHIN_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.1


class TopicGrowth:
    """What there is of some topics, and more of them. Raises `Unavailable` where Kafka does not answer."""

    def __init__(self, bootstrap: str, topics: Iterable[str], group_id: str) -> None:
        """`group_id` is the group whose progress is asked for; it is never joined."""
        self._bootstrap = bootstrap
        self._topics = tuple(topics)
        self._admin = AdminClient({"bootstrap.servers": bootstrap})
        self._consumer = Consumer(
            {"bootstrap.servers": bootstrap, "group.id": group_id, "enable.auto.commit": False, "log_level": 0}
        )

    def counts(self) -> dict[str, int]:
        """Partitions by topic; 0 for one that does not exist."""
        try:
            found = self._admin.list_topics(timeout=_ANSWER_SECONDS).topics
        except KafkaException as error:
            raise self._unavailable(error) from error
        return {topic: len(found[topic].partitions) if topic in found else 0 for topic in self._topics}

    def ends(self) -> dict[Place, int]:
        """By partition the offset that the next record will have."""
        try:
            return {
                Place(topic, number): self._consumer.get_watermark_offsets(
                    TopicPartition(topic, number), timeout=_ANSWER_SECONDS
                )[1]
                for topic, count in self.counts().items()
                for number in range(count)
            }
        except KafkaException as error:
            raise self._unavailable(error) from error

    def committed(self, places: Sequence[Place]) -> dict[Place, int]:
        """By partition what the group has committed; 0 where nothing."""
        try:
            found = self._consumer.committed([TopicPartition(*place) for place in places], timeout=_ANSWER_SECONDS)
        except KafkaException as error:
            raise self._unavailable(error) from error
        return {Place(each.topic, each.partition): max(each.offset, 0) for each in found}

    def grow(self, counts: Mapping[str, int], partitions: int) -> None:
        """Give each topic of `counts` that many, and wait until Kafka has them all; those that have them stay as they are."""
        smaller = [NewPartitions(topic, partitions) for topic, count in counts.items() if count < partitions]
        try:
            for result in self._admin.create_partitions(smaller).values():
                result.result(_GROWN_WITHIN_SECONDS)
        except KafkaException as error:
            raise self._unavailable(error) from error
        deadline = time.monotonic() + _GROWN_WITHIN_SECONDS
        while any(self.counts()[topic] != partitions for topic in counts):
            if time.monotonic() > deadline:
                raise Unavailable(f"Kafka at {self._bootstrap} does not show {partitions} partitions")
            time.sleep(_POLL_SECONDS)

    def close(self) -> None:
        """Ends the connection."""
        self._consumer.close()

    def _unavailable(self, error: KafkaException) -> Unavailable:
        return Unavailable(f"Kafka at {self._bootstrap} does not answer: {error.args[0].str()}")
