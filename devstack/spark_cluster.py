"""A standalone Spark on one machine: a master and its workers, the real ones, for jobs that are to run on more than `local[*]`."""

import importlib.util
import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from devstack.interruption import ended_by_signals
from devstack.java import find_java
from devstack.ports import LOOPBACK, free_port
from devstack.process import ChildProcess
from devstack.workspace import temporary_workspace

READY_TIMEOUT_S: Final = 90.0
_MASTER: Final = "org.apache.spark.deploy.master.Master"
_WORKER: Final = "org.apache.spark.deploy.worker.Worker"
_SCALA: Final = "2.13"
_JVM: Final = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""Of master and workers themselves; what they run has JVMs of its own."""
_OPENED: Final = tuple(
    f"--add-opens=java.base/{package}=ALL-UNNAMED"
    for package in ("java.lang", "java.nio", "java.net", "java.util", "sun.nio.ch", "sun.util.calendar")
)
"""What Spark's launcher opens on Java 17, and is not asked here."""


class SparkCluster:
    """A master and its workers, each with `cores` and `memory` ("2g") to give to executors."""

    def __init__(self, directory: Path, workers: int, cores: int, memory: str) -> None:
        port, self._page_port = free_port(), free_port()
        self.url: Final = f"spark://{LOOPBACK}:{port}"
        self._count: Final = workers
        options = ["--host", LOOPBACK, "--port", str(port), "--webui-port", str(self._page_port)]
        self._processes: Final = [_process("spark-master", [_MASTER, *options], directory)]
        for number in range(workers):
            given = ["--cores", str(cores), "--memory", memory, "--work-dir", str(directory / f"work-{number}")]
            ports = ["--host", LOOPBACK, "--webui-port", str(free_port())]
            self._processes.append(_process(f"spark-worker-{number}", [_WORKER, *given, *ports, self.url], directory))

    @classmethod
    @contextmanager
    def start(cls, workers: int = 2, cores: int = 1, memory: str = "2g") -> Iterator["SparkCluster"]:
        """Starts all, waits until the master knows its workers, ends them afterwards. Call it in the main thread.

        Raises ProcessFailed, JavaMissing.
        """
        with ExitStack() as cleanup:
            cleanup.enter_context(ended_by_signals())
            cluster = cls(cleanup.enter_context(temporary_workspace()), workers, cores, memory)
            cleanup.callback(cluster._kill_all)
            for process in cluster._processes:
                process.start()
            cluster._processes[0].wait_ready(cluster._ready, READY_TIMEOUT_S)
            yield cluster

    def applications(self) -> list[str]:
        """Names of the applications that have run here and are done."""
        return [str(one["name"]) for one in self._state()["completedapps"]]

    def _ready(self) -> bool:
        try:
            return int(self._state()["aliveworkers"]) == self._count
        except (urllib.error.URLError, OSError, ValueError):
            return False

    def _state(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{self._page_port}/json/", timeout=5) as answer:
            document: dict[str, Any] = json.load(answer)
        return document

    def _kill_all(self) -> None:
        for process in reversed(self._processes):
            process.terminate()


def _process(name: str, arguments: list[str], directory: Path) -> ChildProcess:
    command = [find_java(), *_JVM, *_OPENED, "-cp", f"{_pyspark()}/jars/*", *arguments]
    # Workers look for the jars of their executors there, and ask which Scala those are of.
    environment = {**os.environ, "SPARK_HOME": str(_pyspark()), "SPARK_SCALA_VERSION": _SCALA}
    return ChildProcess(name, command, log=directory / f"{name}.log", environment=environment)


def _pyspark() -> Path:
    spec = importlib.util.find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise LookupError("pyspark, which carries Spark, is not installed: run 'make setup'")
    return Path(spec.origin).parent
