"""Apache Kafka itself: one KRaft node, broker and controller in one JVM."""

import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from devstack.jars import KAFKA, jar_directory
from devstack.java import find_java
from devstack.ports import LOOPBACK, free_port, is_open
from devstack.process import BEHIND_ANSWERS, ChildProcess, ProcessFailed

READY_TIMEOUT_S: Final = 90.0
_FORMAT_TIMEOUT_S: Final = 60.0
_MIB: Final = 1024 * 1024
_JVM: Final = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError")
_QUICK_TO_START: Final = ("-XX:TieredStopAtLevel=1",)
"""No second compiler, which would be at work for the first half minute of load and more."""

_LOG4J: Final = """\
status = warn
rootLogger.level = warn
rootLogger.appenderRef.stdout.ref = stdout
appender.stdout.type = Console
appender.stdout.name = stdout
appender.stdout.layout.type = PatternLayout
appender.stdout.layout.pattern = %d %p %c{1} %m%n
"""


class KafkaServer:
    """A broker on free ports with its data in `directory`; a restart finds both again."""

    def __init__(
        self,
        directory: Path,
        log_directory: Path,
        *,
        jvm_options: Sequence[str] = (),
        start_options: Sequence[str] = (),
        long_running: bool = False,
    ) -> None:
        """`directory` is created for it alone; `start_options` go to the broker's JVM only. One that is `long_running` is compiled
        as in production: at 1,000 records a second, each fetched at once, it takes 0.45 processors instead of 0.75, once warm.

        Raises JarsFailed or JavaMissing when the set-up is incomplete.
        """
        directory.mkdir(parents=True)
        self._java: Final = find_java()
        self._jvm_options: Final = (*_JVM, *(() if long_running else _QUICK_TO_START), *jvm_options)
        self._classpath: Final = f"{jar_directory(KAFKA)}/*"
        self._port: Final = free_port()
        self._properties: Final = directory / "server.properties"
        self._properties.write_text(server_properties(self._port, free_port(), directory / "data"))
        self._log4j: Final = directory / "log4j2.properties"
        self._log4j.write_text(_LOG4J)
        self._format()
        self.process: Final = ChildProcess(
            "kafka",
            self._command("kafka.Kafka", str(self._properties), options=start_options),
            log=log_directory / "kafka.log",
            niceness=BEHIND_ANSWERS,
        )

    @property
    def bootstrap(self) -> str:
        """host:port for clients."""
        return f"{LOOPBACK}:{self._port}"

    def ready(self) -> bool:
        """Whether it answers a client."""
        return is_open(self._port) and _answers(self.bootstrap)

    def _format(self) -> None:
        identity = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        # One argument: the identity may begin with a dash.
        arguments = ["format", f"--cluster-id={identity}", "--config", str(self._properties)]
        command = self._command("kafka.tools.StorageTool", *arguments)
        done = subprocess.run(command, capture_output=True, text=True, timeout=_FORMAT_TIMEOUT_S, check=False)
        if done.returncode != 0:
            raise ProcessFailed(f"Kafka's storage could not be formatted:\n{done.stdout}{done.stderr}")

    def _command(self, main_class: str, *arguments: str, options: Sequence[str] = ()) -> list[str]:
        log4j = f"-Dlog4j2.configurationFile={self._log4j}"
        return [self._java, *self._jvm_options, *options, log4j, "-cp", self._classpath, main_class, *arguments]


def _answers(bootstrap: str) -> bool:
    client = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    try:
        return len(client.list_topics(timeout=1.0).brokers) > 0
    except KafkaException:
        return False


def server_properties(port: int, controller_port: int, data: Path) -> str:
    """The broker's configuration. Records are never dropped for their age: a replay carries times of years ago."""
    settings = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{LOOPBACK}:{controller_port}",
        "listeners": f"PLAINTEXT://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{port}",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": data,
        "auto.create.topics.enable": "false",
        "num.network.threads": 2,
        "num.io.threads": 4,
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "share.coordinator.state.topic.num.partitions": 1,
        # A group of one need not wait for others, and a test may declare a killed member dead after a second.
        "group.initial.rebalance.delay.ms": 0,
        "group.min.session.timeout.ms": 1000,
        # The same for groups that Kafka itself shares partitions out to; it would wait up to 5 s to tell a member.
        "group.consumer.min.session.timeout.ms": 1000,
        "group.consumer.session.timeout.ms": 10_000,
        "group.consumer.min.heartbeat.interval.ms": 100,
        "group.consumer.heartbeat.interval.ms": 500,
        # A killed broker may come back at once: the controller forgets its last life after this time.
        "broker.session.timeout.ms": 1500,
        "broker.heartbeat.interval.ms": 250,
        "message.max.bytes": 5 * _MIB,
        "replica.fetch.max.bytes": 5 * _MIB,
        "log.retention.ms": -1,
        "log.index.size.max.bytes": _MIB,
        # The default of 128 MiB would be a quarter of the heap.
        "log.cleaner.dedupe.buffer.size": 8 * _MIB,
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())
