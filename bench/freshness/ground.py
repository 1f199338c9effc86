"""What every part of a run stands on: Kafka, Redis, and processes on them."""

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

import redis
from prometheus_client.parser import text_string_to_metric_families

from bench.freshness.sizes import Sizes
from devstack.environment import Environments, choose_addresses
from devstack.keys import generate_keys
from devstack.places import REPOSITORY
from devstack.ports import LOOPBACK
from devstack.process import ChildProcess
from devstack.service import ServiceProcess, http_ready
from devstack.stack import Part, Stack
from devstack.topics import create_topics

_STOP_SECONDS: Final = 20.0
_ANSWER_SECONDS: Final = 30.0
_EVENTS: Final = "interlude_enricher_events_total"
_INTERESTS: Final = "interlude_enricher_interests_total"


class Enricher:
    """A running enricher, and where its metrics are."""

    def __init__(self, process: ServiceProcess, metrics_port: int) -> None:
        self.process: Final = process
        self._metrics_url: Final = f"http://{LOOPBACK}:{metrics_port}/metrics"

    def seen(self) -> int:
        """Events that it is done with since it started, whatever became of them."""
        return self._counted(_EVENTS)

    def interests(self) -> int:
        """Interests that it found and told since it started."""
        return self._counted(_INTERESTS)

    def _counted(self, name: str) -> int:
        with urlopen(self._metrics_url, timeout=_ANSWER_SECONDS) as answer:
            families = text_string_to_metric_families(answer.read().decode())
        return sum(int(sample.value) for family in families for sample in family.samples if sample.name == name)


class Ground:
    """Real Kafka and Redis, and a directory for all that processes are told and tell."""

    def __init__(self, stack: Stack, sizes: Sizes, directory: Path) -> None:
        create_topics(stack.kafka)
        self.stack: Final = stack
        self.sizes: Final = sizes
        self.redis: Final = redis.Redis.from_url(stack.redis)
        self.directory: Final = directory
        self.directory.mkdir()
        self._keys: Final = generate_keys()

    @classmethod
    @contextmanager
    def start(cls, sizes: Sizes) -> Iterator["Ground"]:
        """Until the end of the block."""
        with Stack.start({Part.KAFKA, Part.REDIS}, long_running=True) as stack:
            yield cls(stack, sizes, stack.directory / "bench")

    @contextmanager
    def enricher(self, name: str, group_id: str) -> Iterator[Enricher]:
        """An enricher as it is run in earnest, just started, until the end of the block."""
        addresses = choose_addresses()
        environment = Environments(self.stack, self._keys, self.directory / "models", addresses).enricher()
        process = ServiceProcess.launch(
            name,
            "services.enricher",
            {**environment, "ENRICHER_GROUP_ID": group_id},
            ready=http_ready(f"http://{LOOPBACK}:{addresses.enricher_metrics_port}/readyz"),
            log_directory=self.stack.log_directory,
        )
        try:
            yield Enricher(process, addresses.enricher_metrics_port)
        finally:
            process.terminate(_STOP_SECONDS)

    @contextmanager
    def program(
        self, name: str, module: str, settings: Mapping[str, Any], environment: Mapping[str, str] | None = None
    ) -> Iterator[tuple[ChildProcess, Path]]:
        """`python -m module` with `settings` and a file to report in, until the end of the block."""
        report = self.directory / f"{name}-report.json"
        report.unlink(missing_ok=True)
        told = self.directory / f"{name}.json"
        told.write_text(json.dumps({**settings, "report": str(report)}))
        process = ChildProcess(
            name,
            [sys.executable, "-m", module, str(told)],
            log=self.stack.log_directory / f"{name}.log",
            environment={**os.environ, "PYTHONPATH": str(REPOSITORY), **(environment or {})},
        )
        process.start()
        try:
            yield process, report
        finally:
            process.terminate(_STOP_SECONDS)

    def read(self, keys: Sequence[str] | Sequence[bytes]) -> list[bytes | None]:
        """The values at keys of Redis, None where there is none."""
        return [value if isinstance(value, bytes) else None for value in self.redis.mget(list(keys))]

    def pids(self) -> dict[str, int]:
        """Of Kafka and Redis."""
        return {part.value: self.stack.process(part).pid for part in (Part.KAFKA, Part.REDIS)}


def now_ms() -> int:
    """Epoch ms."""
    return time.time_ns() // 1_000_000


def say(what: str) -> None:
    """Tell how far it is."""
    print(f"freshness: {what}", flush=True)
