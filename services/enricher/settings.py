"""Settings of the enricher, from variables that begin with ENRICHER_."""

from typing import ClassVar

from pydantic import Field

from interlude.servicekit.consumer_settings import GroupProtocol
from interlude.servicekit.settings import ServiceSettings


class EnricherSettings(ServiceSettings):
    """Everything the enricher is told from outside."""

    prefix: ClassVar[str] = "ENRICHER_"

    kafka_bootstrap: str = Field(min_length=1)
    """Kafka brokers, "host:port" separated by commas."""
    redis_url: str = Field(pattern="^(redis|rediss|unix)://")
    """Redis that holds states and features, "redis://host:port/db"."""
    group_id: str = Field(default="enricher", pattern="^[a-z0-9._-]{1,100}$")
    """Consumer group; also part of the names of the dead-letter topics."""
    batch_records: int = Field(default=10_000, ge=1, le=20_000)
    """Most records handled between two writes to Redis. A batch is what is there: one record, or this many where a backlog is
    worked off, which takes a third of a second. Whoever is in it several times is read and written once: most of the work."""
    session_timeout_ms: int = Field(default=10_000, ge=1000, le=300_000)
    """How long the partitions of an enricher that was killed wait for it before others take them over. With the protocol
    `consumer` the group's own `consumer.session.timeout.ms` in Kafka says it, and this is not used."""
    group_protocol: GroupProtocol = GroupProtocol.CLASSIC
    """Who shares the partitions out: `classic`, the group's first member, or `consumer`, Kafka itself (KIP-848, Kafka 4.0 or
    newer), where only those partitions stand still that move. Change it with all enricher processes stopped, or one by one."""
    instance_id: str = Field(default="", pattern="^[A-Za-z0-9._-]{0,200}$")
    """Name of this process within the group, another one for each, the same after a restart (a StatefulSet's pod name): its
    partitions then wait for it through a restart shorter than the session timeout. Empty: they move at once."""
    fetched_kib: int = Field(default=16_384, ge=1024, le=1_048_576)
    """Most that is fetched ahead of what is handled, KiB: what a Redis that hangs can make this process grow by."""
    redis_timeout_ms: int = Field(default=2000, ge=10, le=60_000)
    """How long one read or write of a batch may take before it is tried again."""
    flush_timeout_ms: int = Field(default=5000, ge=100, le=60_000)
    """How long Kafka may take to acknowledge interests and dead letters before the batch is tried again."""
    dead_letter_limit: float = Field(default=0.5, gt=0, le=1)
    """Share of a topic's records that may be dead letters; beyond it the service takes no more and waits, unready, for somebody to
    look and restart it. 1: never."""
    dead_letter_limit_records: int = Field(default=5000, ge=1, le=1_000_000)
    """Over how many of a topic's newest records the share is taken."""
    dead_letter_limit_minimum: int = Field(default=1000, ge=1, le=1_000_000)
    """From how many records on the share is looked at; so many may pass after each restart."""
