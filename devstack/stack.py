"""The parts together: `with Stack.start() as stack:` gives real Kafka, Redis and SMS operator, and takes them away."""

import os
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from enum import Enum
from pathlib import Path
from typing import Final, Protocol, TypeVar

from devstack import kafka, valkey
from devstack.class_archive import archive_options, kafka_archive
from devstack.interruption import ended_by_signals
from devstack.kafka import KafkaServer
from devstack.places import LOGS
from devstack.process import ChildProcess
from devstack.smsc import part as smsc_part
from devstack.smsc.behaviour import SmscSettings
from devstack.smsc.part import SmscServer
from devstack.valkey import RedisServer
from devstack.workspace import temporary_workspace

_Server = TypeVar("_Server")


class Part(Enum):
    """What the stack can run."""

    KAFKA = "kafka"
    REDIS = "redis"
    SMSC = "smsc"


_READY_TIMEOUTS_S: Final = {
    Part.KAFKA: kafka.READY_TIMEOUT_S,
    Part.REDIS: valkey.READY_TIMEOUT_S,
    Part.SMSC: smsc_part.READY_TIMEOUT_S,
}


class Server(Protocol):
    """One part: a child process that can tell when it answers."""

    @property
    def process(self) -> ChildProcess:
        """The child."""

    def ready(self) -> bool:
        """Whether it answers now."""


class Stack:
    """Running parts. Ports and data directories stay the same until the end, over any kill and restart."""

    def __init__(
        self,
        parts: Collection[Part],
        directory: Path,
        log_directory: Path,
        smsc: SmscSettings,
        *,
        durable_redis: bool = False,
        long_running: bool = False,
    ) -> None:
        """Use `Stack.start`. The quick parts start while Kafka prepares its storage."""
        self.directory: Final = directory
        self.log_directory: Final = log_directory
        self._servers: Final[dict[Part, Server]] = {}
        self._redis = None
        if Part.REDIS in parts:
            self._redis = RedisServer(directory / "redis", log_directory, durable=durable_redis)
        self._smsc = SmscServer(directory / "smsc", log_directory, smsc) if Part.SMSC in parts else None
        self._kafka = _kafka_server(directory / "kafka", log_directory, long_running) if Part.KAFKA in parts else None
        for part, server in ((Part.KAFKA, self._kafka), (Part.REDIS, self._redis), (Part.SMSC, self._smsc)):
            if server is not None:
                self._servers[part] = server

    @classmethod
    @contextmanager
    def start(
        cls,
        parts: Collection[Part] = frozenset(Part),
        *,
        log_directory: Path | None = None,
        smsc: SmscSettings | None = None,
        durable_redis: bool = False,
        long_running: bool = False,
    ) -> Iterator["Stack"]:
        """Starts `parts`, waits until all answer, and ends them on every way out of the block, SIGTERM included.

        A `durable_redis` has after a kill what it had before. `long_running`: Kafka as in production, for a measurement that warms
        up; else it is quick to start.
        `log_directory`: one log a part; default a new folder in var/log. Call it in the main thread.
        Raises ProcessFailed with the end of its log when a part does not come up, JavaMissing, JarsFailed.
        """
        with ExitStack() as cleanup:
            cleanup.enter_context(ended_by_signals())
            directory = cleanup.enter_context(temporary_workspace())
            logs, operator = log_directory or new_log_directory(), smsc or SmscSettings()
            stack = cls(parts, directory, logs, operator, durable_redis=durable_redis, long_running=long_running)
            cleanup.callback(stack._kill_all)
            stack._start_all()
            yield stack

    @property
    def kafka(self) -> str:
        """Bootstrap servers. Raises LookupError when Kafka is not part of this stack."""
        return _present(self._kafka, Part.KAFKA).bootstrap

    @property
    def redis(self) -> str:
        """URL of database 0. Raises LookupError when Redis is not part of this stack."""
        return _present(self._redis, Part.REDIS).url

    @property
    def smsc(self) -> SmscServer:
        """Host, port, settings and record file. Raises LookupError when the operator is not part of this stack."""
        return _present(self._smsc, Part.SMSC)

    @property
    def parts(self) -> frozenset[Part]:
        """What runs here."""
        return frozenset(self._servers)

    def process(self, part: Part) -> ChildProcess:
        """The child process of that part. Raises LookupError when it is not part of this stack."""
        return _present(self._servers.get(part), part).process

    def kill(self, part: Part) -> None:
        """SIGKILL, and waits for the end."""
        self.process(part).kill()

    def pause(self, part: Part) -> None:
        """SIGSTOP: connections stay open and nothing answers."""
        self.process(part).pause()

    def resume(self, part: Part) -> None:
        """The end of a pause."""
        self.process(part).resume()

    def restart(self, part: Part) -> None:
        """Kills it if it still runs, starts it on the same port and waits until it answers. Raises ProcessFailed."""
        self.kill(part)
        self.process(part).start()
        self._wait_ready(part)

    def _start_all(self) -> None:
        for server in self._servers.values():
            server.process.start()
        for part in self._servers:
            self._wait_ready(part)

    def _wait_ready(self, part: Part) -> None:
        self.process(part).wait_ready(self._servers[part].ready, _READY_TIMEOUTS_S[part])

    def _kill_all(self) -> None:
        # Their data goes with the directory: nothing is gained by letting them close it in order.
        for server in reversed(self._servers.values()):
            server.process.kill()


def _kafka_server(directory: Path, log_directory: Path, long_running: bool) -> KafkaServer:
    options = archive_options(kafka_archive())
    return KafkaServer(directory, log_directory, jvm_options=options, long_running=long_running)


def _present(server: _Server | None, part: Part) -> _Server:
    if server is None:
        raise LookupError(f"{part.value} is not part of this stack")
    return server


def new_log_directory() -> Path:
    """A folder of its own for one run, named after its time (UTC) and process. Created when the first log is."""
    return LOGS / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.getpid()}"
