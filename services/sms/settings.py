"""Settings of the sms service, from variables that begin with SMS_."""

import base64
import binascii
from typing import ClassVar, Final

from pydantic import Field, SecretStr, field_validator

from interlude.servicekit.settings import ServiceSettings

PHONE_KEY_BYTES: Final = 32


class SmsSettings(ServiceSettings):
    """Everything the sms service is told from outside."""

    prefix: ClassVar[str] = "SMS_"

    kafka_bootstrap: str = Field(min_length=1)
    """Kafka brokers, "host:port" separated by commas."""
    redis_url: str = Field(pattern="^(redis|rediss|unix)://")
    """Redis that holds profiles, request states and the contact ledger, "redis://host:port/db"."""
    smpp_host: str = Field(min_length=1)
    """Host of the operator's SMPP 3.4 server."""
    smpp_port: int = Field(ge=1, le=65535)
    """Port of the operator's SMPP 3.4 server."""
    smpp_tls: bool = False
    """Whether to speak TLS with the operator, whose certificate is then verified."""
    smpp_system_id: str = Field(min_length=1, max_length=15)
    """Name under which the operator knows us."""
    smpp_password: SecretStr
    """Password for the operator."""
    source_address: str = Field(pattern=r"^(\+?[0-9]{1,20}|[A-Za-z0-9 ]{1,11})$")
    """Sender that a phone shows: a number, a short code, or up to 11 letters and digits."""
    phone_key: SecretStr
    """Key under which phone numbers are kept in Redis, base64 of 32 bytes."""
    campaign_file: str = ""
    """YAML or JSON file with the campaigns, which may change while the service runs; empty: the built-in one."""
    campaign_poll_ms: int = Field(default=1000, ge=100, le=60_000)
    """How often the campaign file is looked at."""
    group_id: str = Field(default="sms", pattern="^[a-z0-9._-]{1,100}$")
    """Consumer group; also part of the names of the dead-letter topics."""
    messages_per_second: float = Field(default=100.0, gt=0, le=10_000)
    """Most messages submitted to the operator in a second, by this instance."""
    window: int = Field(default=16, ge=1, le=512)
    """Most messages that may wait for the operator's answer at a time; a crash leaves at most this many uncertain."""
    response_timeout_ms: int = Field(default=10_000, ge=100, le=25_000)
    """How long the operator may take to answer a message; after that its fate is uncertain and the session is renewed."""
    throttle_limit_ms: int = Field(default=120_000, ge=0, le=3_600_000)
    """How long a message that the operator throttles is offered again before it counts as refused."""
    batch_records: int = Field(default=500, ge=1, le=10_000)
    """Most records handled between two commits."""
    redis_timeout_ms: int = Field(default=2000, ge=10, le=60_000)
    """How long one call to Redis may take before it is tried again."""
    flush_timeout_ms: int = Field(default=5000, ge=100, le=60_000)
    """How long Kafka may take to acknowledge events and dead letters before the batch is tried again."""
    dead_letter_limit: float = Field(default=0.5, gt=0, le=1)
    """Share of a topic's records that may be dead letters; beyond it the service takes no more and waits, unready, for somebody to
    look and restart it. 1: never."""
    dead_letter_limit_records: int = Field(default=5000, ge=1, le=1_000_000)
    """Over how many of a topic's newest records the share is taken."""
    dead_letter_limit_minimum: int = Field(default=100, ge=1, le=1_000_000)
    """From how many records on the share is looked at; so many may pass after each restart."""

    @field_validator("phone_key")
    @classmethod
    def _is_a_key(cls, value: SecretStr) -> SecretStr:
        try:
            size = len(base64.b64decode(value.get_secret_value(), validate=True))
        except binascii.Error:
            raise ValueError("is not base64") from None
        if size != PHONE_KEY_BYTES:
            raise ValueError(f"has {size} bytes, expected {PHONE_KEY_BYTES}")
        return value

    @property
    def phone_key_bytes(self) -> bytes:
        """The key itself, 32 bytes."""
        return base64.b64decode(self.phone_key.get_secret_value())
