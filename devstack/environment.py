"""The settings of every service, as a stack dictates them."""

from dataclasses import dataclass
from pathlib import Path

from devstack.class_archive import archive_options, spark_archive
from devstack.jars import connector_jars
from devstack.keys import Keys
from devstack.ports import LOOPBACK, free_port
from devstack.stack import Stack


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where our services listen: host:port of Decide, and the ports of /metrics and /readyz."""

    decision: str
    decision_metrics_port: int
    enricher_metrics_port: int
    sms_metrics_port: int


def choose_addresses() -> Addresses:
    """Free loopback ports for one run of the system."""
    return Addresses(f"{LOOPBACK}:{free_port()}", free_port(), free_port(), free_port())


@dataclass(frozen=True, slots=True)
class Environments:
    """Environment variables per service, for one stack, one set of keys and one model store."""

    stack: Stack
    keys: Keys
    model_store: Path
    addresses: Addresses
    campaign_file: Path | None = None

    def decision(self) -> dict[str, str]:
        """Of services.decision."""
        return {
            "DECISION_LISTEN": self.addresses.decision,
            "DECISION_METRICS_PORT": str(self.addresses.decision_metrics_port),
            "DECISION_KAFKA_BOOTSTRAP": self.stack.kafka,
            "DECISION_REDIS_URL": self.stack.redis,
            "DECISION_MODEL_STORE": str(self.model_store),
            "DECISION_MODEL_PUBLIC_KEY": self.keys.model_public_key,
            "DECISION_TOKEN_KEY": self.keys.token_key,
            **self._campaign("DECISION"),
        }

    def enricher(self) -> dict[str, str]:
        """Of services.enricher."""
        return {
            "ENRICHER_METRICS_PORT": str(self.addresses.enricher_metrics_port),
            "ENRICHER_KAFKA_BOOTSTRAP": self.stack.kafka,
            "ENRICHER_REDIS_URL": self.stack.redis,
        }

    def sms(self) -> dict[str, str]:
        """Of services.sms."""
        operator = self.stack.smsc
        return {
            "SMS_METRICS_PORT": str(self.addresses.sms_metrics_port),
            "SMS_KAFKA_BOOTSTRAP": self.stack.kafka,
            "SMS_REDIS_URL": self.stack.redis,
            "SMS_SMPP_HOST": operator.host,
            "SMS_SMPP_PORT": str(operator.port),
            "SMS_SMPP_SYSTEM_ID": operator.settings.system_id,
            "SMS_SMPP_PASSWORD": operator.settings.password,
            "SMS_SOURCE_ADDRESS": "Interlude",
            "SMS_PHONE_KEY": self.keys.phone_key,
            **self._campaign("SMS"),
        }

    def trainer(self) -> dict[str, str]:
        """Of services.trainer, which is a command rather than a process that stays."""
        return {
            "TRAINER_MODEL_STORE": str(self.model_store),
            "TRAINER_MODEL_PRIVATE_KEY": self.keys.model_private_key,
            "TRAINER_KAFKA_BOOTSTRAP": self.stack.kafka,
            "TRAINER_SPARK_JARS": ",".join(str(jar) for jar in connector_jars()),
            "TRAINER_SPARK_JAVA_OPTIONS": " ".join(archive_options(spark_archive())),
            # Spark asks for the address of the machine's name otherwise, which not every machine has.
            "SPARK_LOCAL_IP": LOOPBACK,
            **self._campaign("TRAINER"),
        }

    def _campaign(self, prefix: str) -> dict[str, str]:
        return {f"{prefix}_CAMPAIGN_FILE": str(self.campaign_file)} if self.campaign_file else {}
