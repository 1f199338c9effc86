"""Settings of the decision service, from variables that begin with DECISION_."""

import base64
import binascii
from enum import StrEnum
from typing import ClassVar

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from interlude.models.store import ModelStore
from interlude.servicekit.redis import connect
from interlude.servicekit.settings import ServiceSettings
from services.decision.certificates import CertificateFiles, certificates_in, check_pair, key_in, read_pem

KEY_BYTES = 32


class FrontChoice(StrEnum):
    """Which gRPC server answers."""

    AUTO = "auto"
    GRPCIO = "grpcio"
    NATIVE = "native"


class DecisionSettings(ServiceSettings):
    """Everything the decision service is told from outside."""

    prefix: ClassVar[str] = "DECISION_"

    listen: str = Field(default="127.0.0.1:50051", pattern=r"^\S+:\d{1,5}$")
    """Address and port of the gRPC server; 0.0.0.0:50051 inside a pod."""
    front: FrontChoice = FrontChoice.AUTO
    """Which gRPC server answers: native (in Rust, many more calls a core), grpcio, or auto: native where it is installed."""
    tls_certificate: str = ""
    """PEM file of the gRPC server's certificate with its chain; empty: calls are not encrypted. Renewed files need no restart."""
    tls_key: str = Field(default="", validate_default=True)
    """PEM file of the key that belongs to the certificate."""
    tls_client_ca: str = ""
    """PEM file of the authorities of whom callers must have a certificate; empty: callers need none."""
    kafka_bootstrap: str = Field(min_length=1)
    """Kafka brokers, "host:port" separated by commas."""
    redis_url: str = Field(pattern="^(redis|rediss|unix)://")
    """Redis that holds features and the contact ledger, "redis://host:port/db"."""
    model_store: str = Field(min_length=1)
    """Directory or fsspec URL of the model store."""
    model_public_key: str
    """Base64 of the 32-byte Ed25519 public key that manifests must be signed for."""
    token_key: SecretStr
    """Base64 of 32 random bytes; signs outcome tokens, the same on every replica."""
    campaign_file: str = ""
    """YAML or JSON file with the campaigns, which may change while the service runs; empty: the built-in one."""
    concurrent_calls: int = Field(default=256, ge=1, le=100_000)
    """Calls that have arrived and have no answer yet; more are refused with RESOURCE_EXHAUSTED."""
    redis_timeout_ms: int = Field(default=15, ge=1, le=5000)
    """Longest wait for one answer of Redis; a call's own deadline may shorten it."""
    deadline_reserve_ms: int = Field(default=2, ge=0, le=1000)
    """Part of a call's deadline kept for the way back; with less left the answer is "no ad"."""
    model_poll_ms: int = Field(default=500, ge=50, le=60_000)
    """How often the champion pointer is looked at."""
    spill_directory: str = ""
    """Directory of this process alone, for what Kafka does not take; empty: records are lost once the queue is full."""
    spill_megabytes: int = Field(default=1024, ge=8, le=1_000_000)
    """Space for them, some 2,000 decisions a megabyte; the oldest go first."""
    stop_grace_seconds: float = Field(default=10, ge=0, le=300)
    """How long calls in progress may take to end after SIGTERM."""

    @property
    def certificates(self) -> CertificateFiles | None:
        """Where the certificates are; None: no TLS."""
        if not self.tls_certificate:
            return None
        return CertificateFiles(self.tls_certificate, self.tls_key, self.tls_client_ca)

    @property
    def tls(self) -> str:
        """In a word, for the log."""
        return "mutual" if self.tls_client_ca else "server" if self.tls_certificate else "off"

    @field_validator("listen")
    @classmethod
    def _listen(cls, value: str) -> str:
        port = int(value.rpartition(":")[2])
        if port > 65_535:  # grpcio would listen on what is left of it in 16 bits
            raise ValueError(f"there is no port {port}")
        return value

    @field_validator("tls_certificate")
    @classmethod
    def _tls_certificate(cls, value: str) -> str:
        if value:
            certificates_in(read_pem(value))
        return value

    @field_validator("tls_key")
    @classmethod
    def _tls_key(cls, value: str, others: ValidationInfo) -> str:
        certificate = others.data.get("tls_certificate")  # None: there is one, and it is not usable
        if not value and certificate != "":
            raise ValueError("is missing: the certificate is of no use without it")
        if value:
            _refuse_without_certificate(certificate)
            key = read_pem(value)
            if certificate:
                check_pair(read_pem(certificate), key)
            else:
                key_in(key)
        return value

    @field_validator("tls_client_ca")
    @classmethod
    def _tls_client_ca(cls, value: str, others: ValidationInfo) -> str:
        if value:
            _refuse_without_certificate(others.data.get("tls_certificate"))
            certificates_in(read_pem(value))
        return value

    @field_validator("redis_url")
    @classmethod
    def _redis_url(cls, value: str) -> str:
        connect(value, timeout_ms=1)  # connects nowhere yet, but reads the whole URL
        return value

    @field_validator("model_store")
    @classmethod
    def _model_store(cls, value: str) -> str:
        try:
            ModelStore(value)
        except ImportError as error:
            raise ValueError(str(error)) from error
        return value

    @field_validator("model_public_key")
    @classmethod
    def _public_key(cls, value: str) -> str:
        return _checked_key(value)

    @field_validator("token_key")
    @classmethod
    def _token_key(cls, value: SecretStr) -> SecretStr:
        _checked_key(value.get_secret_value())
        return value


def _refuse_without_certificate(certificate: str | None) -> None:
    if certificate == "":
        raise ValueError("is of no use without DECISION_TLS_CERTIFICATE")


def _checked_key(value: str) -> str:
    try:
        size = len(base64.b64decode(value, validate=True))
    except binascii.Error as error:
        raise ValueError("is not base64") from error
    if size != KEY_BYTES:
        raise ValueError(f"has {size} bytes, expected {KEY_BYTES}")
    return value
