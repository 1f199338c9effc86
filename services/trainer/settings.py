"""Settings of the trainer, from variables that begin with TRAINER_."""

from typing import ClassVar

from pydantic import Field, field_validator

from interlude.servicekit.settings import ServiceSettings
from services.trainer.tracking import is_installed


class TrainerSettings(ServiceSettings):
    """Everything a command of the trainer is told from outside, its arguments apart."""

    prefix: ClassVar[str] = "TRAINER_"

    metrics_port: int = Field(default=0, ge=0, le=65535)
    """Port of /metrics, /healthz and /readyz of `lake run`; 0: none. All other commands end with a report."""
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
    spark_memory: str = Field(default="2g", pattern="^[1-9][0-9]*[mg]$")
    """Heap of the JVM that Spark runs in, and of each executor where `spark_master` has them, as in "2g"; Python workers come on
    top."""
    spark_java_options: str = ""
    """More options for the JVM that Spark runs in, separated by blanks."""
    nice: int = Field(default=0, ge=0, le=19)
    """How far `train` and `audience` step back for others on the same machine, 19 the furthest."""
    tracking_uri: str = ""
    """Where MLflow keeps runs: every training becomes one. A server's address or a directory, as in "http://mlflow:5000" or
    "file:/runs"; empty: none. Needs what requirements/tracking.txt installs."""
    tracking_experiment: str = Field(default="interlude", min_length=1)
    """MLflow's experiment that the runs belong to; made where there is none."""
    lake: str = ""
    """Where the lake is: a directory or any URL that Hadoop's file systems open; needed by `lake` and `train --lake`."""
    lake_trigger_seconds: float = Field(default=60.0, gt=0)
    """Time between two batches of `lake run`: each makes a file a table and day, and is readable when it is complete."""
    lake_batch_records: int = Field(default=500_000, ge=1)
    """Records of one topic that `lake run` takes at once at most."""
    lake_days: int = Field(default=400, ge=1)
    """`lake compact` removes older days, of all tables but `customers`."""
    lake_file_megabytes: int = Field(default=128, ge=1)
    """Size of the files that `lake compact` writes, roughly."""
    lake_grace_minutes: int = Field(default=60, ge=0)
    """How long `lake compact` leaves files that it replaced to those who may still be reading them."""

    @field_validator("tracking_uri")
    @classmethod
    def _tracked_by_what_is_there(cls, uri: str) -> str:
        if uri and not is_installed():
            raise ValueError("MLflow is not installed: `pip install -r requirements/tracking.txt`, or leave it empty")
        return uri
