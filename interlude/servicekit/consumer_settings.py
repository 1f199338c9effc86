"""How a consumer group reads, and what the Kafka client is told of that."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_RECONNECT_MS: Final = 1000
_MESSAGES_AHEAD: Final = 20_000
_BYTES_AT_ONCE: Final = 2**20
"""Of one partition in one answer: what lies in the queue passes its limit by no more than this for each partition."""


class GroupProtocol(StrEnum):
    """Who shares the partitions out: the group's first member, or Kafka itself (KIP-848, Kafka 4.0 or newer)."""

    CLASSIC = "classic"
    CONSUMER = "consumer"


@dataclass(frozen=True, slots=True)
class ConsumerSettings:
    """How a group reads. `max_records` bounds a batch; a member that was killed keeps its partitions for `session_timeout_ms`;
    one that stops gives a Kafka that hangs `leave_timeout_ms`. What was handled within `commit_interval_ms` of a kill comes again.

    Of `first_topics`, all that is in Kafka when partitions are assigned is handled before any record of the other topics.

    A member with an `instance_id` keeps its partitions through a restart that takes less than the session timeout; no two
    members may have the same. With the protocol `CONSUMER` the session timeout is the group's own in Kafka
    (`consumer.session.timeout.ms`), and `session_timeout_ms` says nothing. `fetched_kib` bounds what is fetched ahead.
    """

    bootstrap: str
    group_id: str
    topics: tuple[str, ...]
    client_id: str
    max_records: int = 1000
    fetch_wait_ms: int = 10
    commit_interval_ms: int = 100
    session_timeout_ms: int = 10_000
    leave_timeout_ms: int = 8000
    first_topics: tuple[str, ...] = ()
    protocol: GroupProtocol = GroupProtocol.CLASSIC
    instance_id: str = ""
    fetched_kib: int = 16_384


def client_configuration(settings: ConsumerSettings) -> dict[str, str | int | bool]:
    """What librdkafka is told. Offsets are committed by the loop alone, and no topic comes into being by being read."""
    configuration: dict[str, str | int | bool] = {
        "bootstrap.servers": settings.bootstrap,
        "group.id": settings.group_id,
        "client.id": settings.client_id,
        "auto.offset.reset": "earliest",
        "enable.partition.eof": bool(settings.first_topics),
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "allow.auto.create.topics": False,
        # A Kafka that comes back is found within a second, not ten.
        "reconnect.backoff.max.ms": _RECONNECT_MS,
        "fetch.wait.max.ms": settings.fetch_wait_ms,
        "fetch.min.bytes": 1,
        "max.partition.fetch.bytes": _BYTES_AT_ONCE,
        "queued.min.messages": _MESSAGES_AHEAD,
        "queued.max.messages.kbytes": settings.fetched_kib,
        **_membership(settings),
    }
    if settings.instance_id:
        configuration["group.instance.id"] = settings.instance_id
    return configuration


def _membership(settings: ConsumerSettings) -> dict[str, str | int | bool]:
    # Equal ranges of equal topics: one consumer owns a customer's partition in all of them.
    if settings.protocol is GroupProtocol.CONSUMER:
        return {"group.protocol": "consumer", "group.remote.assignor": "range"}
    return {
        "partition.assignment.strategy": "range",
        "session.timeout.ms": settings.session_timeout_ms,
        "heartbeat.interval.ms": settings.session_timeout_ms // 3,
    }
