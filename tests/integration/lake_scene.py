"""A small world for the lake's tests: what is produced, what a lake must hold of it, and the command as a process of its own."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from confluent_kafka import Producer
from google.protobuf.message import Message

from devstack.jars import connector_jars
from interlude.events.topics import PARTITIONER, Topic
from interlude.events.writing import to_record
from interlude.v1 import decision_pb2, events_pb2

ROOT: Final = Path(__file__).resolve().parents[2]
DAY_MS: Final = 86_400_000
NOON_MS: Final = 1_700_049_600_000
"""12:00 UTC of 2023-11-15."""
DAYS: Final = ("2023-11-15", "2023-11-16", "2023-11-17")
CAMPAIGN: Final = "upgrade"


def listen(customer_id: int, number: int) -> events_pb2.Listen:
    """The customer's listen of that number: three days, one track in two on mobile."""
    return events_pb2.Listen(
        event_id=f"l-{customer_id}-{number}",
        customer_id=customer_id,
        track_id=number % 7,
        played_at_ms=NOON_MS + number % 3 * DAY_MS + number * 60_000 + customer_id,
        device=events_pb2.DEVICE_MOBILE if number % 2 else events_pb2.DEVICE_PC,
        postal_code="60601",
        utc_offset_minutes=-360 if number % 5 else None,
    )


def profile(customer_id: int) -> events_pb2.Customer:
    """With everything that must not get into the lake."""
    return events_pb2.Customer(
        customer_id=customer_id,
        updated_at_ms=NOON_MS - DAY_MS,
        level=events_pb2.LEVEL_FREE,
        active=True,
        phone="+15550100",
        name="Ada Brook",
        address="9 Fox Hill",
        time_zone="America/Chicago",
        birth_year=1984,
    )


class Log:
    """Produces into the system's topics; `flush` waits until all is there."""

    def __init__(self, bootstrap: str) -> None:
        self._producer = Producer({"bootstrap.servers": bootstrap, "partitioner": PARTITIONER})

    def send(self, topic: Topic, customer_id: int, message: Message | None) -> None:
        """One message, or a tombstone."""
        if message is None:
            self._producer.produce(topic, None, b"%d" % customer_id)
            return
        record = to_record(message, customer_id=customer_id, event_id="e", at_ms=NOON_MS, source="test")
        self._producer.produce(topic, record.value, record.key, headers=[*record.headers])

    def send_bytes(self, topic: Topic, key: bytes, value: bytes) -> None:
        """A record as it is."""
        self._producer.produce(topic, value, key)

    def flush(self) -> None:
        """Everything is in Kafka."""
        assert self._producer.flush(30) == 0


@dataclass(frozen=True, slots=True)
class LakeProcess:
    """The trainer's command line on one lake."""

    bootstrap: str
    lake: Path
    settings: dict[str, str]

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """`python -m services.trainer lake …` with a process group of its own: the JVM dies with it."""
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("TRAINER_")},
            "TRAINER_MODEL_STORE": str(self.lake.parent / "models"),
            "TRAINER_KAFKA_BOOTSTRAP": self.bootstrap,
            "TRAINER_LAKE": str(self.lake),
            "TRAINER_SPARK_MASTER": "local[2]",
            "TRAINER_SPARK_JARS": ",".join(str(jar) for jar in connector_jars()),
            **self.settings,
        }
        command = [sys.executable, "-m", "services.trainer", "lake", *arguments]
        return subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, process_group=0
        )

    def finish(self, *arguments: str, timeout: float = 200) -> dict[str, Any]:
        """Run a command to its end; its document."""
        process = self.start(*arguments)
        out, error = process.communicate(timeout=timeout)
        assert process.returncode == 0, error.decode()[-4000:]
        document: dict[str, Any] = json.loads(out.splitlines()[-1])
        return document


def kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to Python and its JVM at once."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def decision(customer_id: int, number: int, *, shown: bool, at_ms: int) -> decision_pb2.DecisionLogged:
    """A logged decision with six features that tell it from others."""
    identity = f"d-{customer_id}-{number}"
    reason = decision_pb2.REASON_SHOW if shown else decision_pb2.REASON_LOW_SCORE
    return decision_pb2.DecisionLogged(
        decision_id=identity,
        request=decision_pb2.DecideRequest(request_id=identity, customer_id=customer_id, campaign_id=CAMPAIGN),
        response=decision_pb2.DecideResponse(
            show=shown,
            reason=reason,
            decision_id=identity,
            campaign_id=CAMPAIGN,
            score=0.7 if shown else 0.2,
            propensity=0.9,
            model_version="m",
            feature_age_ms=60_000,
            rung=decision_pb2.RUNG_FULL,
        ),
        decided_at_ms=at_ms,
        features=[0.25, 0.25, 0.25, 0.25, number % 2, customer_id % 2],
        schema_version="",
        threshold=0.5,
    )
