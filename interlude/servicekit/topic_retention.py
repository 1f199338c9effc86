"""How long Kafka keeps what is in its topics, as its settings there say: for tools."""

from typing import Final, NamedTuple

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource

from interlude.servicekit.errors import Unavailable

_ANSWER_SECONDS: Final = 10.0


class Retention(NamedTuple):
    """A topic's settings. A record goes when its segment was closed, at the latest after `segment_ms`, and is `retention_ms` old
    (negative: never); in a compacted topic when a newer one has its key, at the latest after `compaction_lag_ms`."""

    partitions: int
    is_compacted: bool
    is_deleted: bool
    """Whether anything is removed for its age."""
    retention_ms: int
    segment_ms: int
    compaction_lag_ms: int


def retention_of(bootstrap: str) -> dict[str, Retention]:
    """Every topic but Kafka's own. Raises `Unavailable`."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    try:
        topics = admin.list_topics(timeout=_ANSWER_SECONDS).topics
        names = sorted(name for name in topics if not name.startswith("__"))
        asked = admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, name) for name in names])
        answers = {resource.name: answer.result(_ANSWER_SECONDS) for resource, answer in asked.items()}
    except KafkaException as error:
        raise Unavailable(f"Kafka at {bootstrap} does not answer: {error.args[0].str()}") from error
    found = {}
    for name in names:
        settings = {key: entry.value or "" for key, entry in answers[name].items()}
        policies = settings["cleanup.policy"].split(",")
        found[name] = Retention(
            partitions=len(topics[name].partitions),
            is_compacted="compact" in policies,
            is_deleted="delete" in policies,
            retention_ms=int(settings["retention.ms"]),
            segment_ms=int(settings["segment.ms"]),
            compaction_lag_ms=int(settings["max.compaction.lag.ms"]),
        )
    return found
