"""Settings of the enricher, from variables that begin with ENRICHER_."""

from typing import ClassVar

from pydantic import Field

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
    batch_records: int = Field(default=1000, ge=1, le=10_000)
    """Most records handled between two writes to Redis."""
    session_timeout_ms: int = Field(default=10_000, ge=1000, le=300_000)
    """How long the partitions of an enricher that was killed wait for it before others take them over."""
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
