"""Settings of the trainer, from variables that begin with TRAINER_."""

from typing import ClassVar

from pydantic import Field

from interlude.servicekit.settings import ServiceSettings


class TrainerSettings(ServiceSettings):
    """Everything a command of the trainer is told from outside, its arguments apart."""

    prefix: ClassVar[str] = "TRAINER_"

    metrics_port: int = Field(default=0, ge=0, le=65535)
    """Taken and ignored: a command ends with a report, and nobody scrapes it."""
    model_store: str = Field(min_length=1)
    """Where versions and the champion pointer are: a directory or any URL that fsspec opens."""
    model_private_key: str = Field(default="", repr=False)
    """Base64 of the Ed25519 seed (32 bytes) that signs manifests; needed by every command that reads or writes a version."""
    kafka_bootstrap: str = ""
    """Kafka brokers, "host:port" separated by commas; needed by `train --rows` and `audience`."""
    campaign_file: str = ""
    """YAML or JSON file with the campaigns, for `audience`; empty: the built-in one."""
    spark_master: str = Field(default="local[*]", min_length=1)
    """Spark master to submit to."""
    spark_jars: str = ""
    """Comma-separated paths of Spark's Kafka connector and what it needs; empty where Spark has them already."""
    spark_java_options: str = ""
    """More options for the JVM that Spark runs in, separated by blanks."""
    nice: int = Field(default=0, ge=0, le=19)
    """How far `train` and `audience` step back for others on the same machine, 19 the furthest."""
