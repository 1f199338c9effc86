"""The decision service behind each front, on one Redis with listeners, one Kafka and one model."""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

import redis

from bench.population import CAMPAIGNS, fill_redis, publish_model
from devstack.environment import Environments, choose_addresses
from devstack.keys import Keys, generate_keys
from devstack.ports import LOOPBACK
from devstack.service import ServiceProcess, grpc_ready
from devstack.stack import Part, Stack
from devstack.topics import create_topics
from interlude.models.store import ModelStore

CUSTOMERS: Final = 100_000
SHOW_SHARE: Final = 0.10


@dataclass(frozen=True, slots=True)
class Server:
    """A process that answers; `target` is host:port. Only the service in earnest has something at `metrics_url`."""

    front: str
    target: str
    pid: int
    metrics_url: str


class Scene:
    """What all servers of a run have in common."""

    def __init__(
        self, stack: Stack, campaigns: str = CAMPAIGNS, customers: int = CUSTOMERS, show_share: float = SHOW_SHARE
    ) -> None:
        """Fills Redis, publishes a model that lets `show_share` of the customers pass, and writes the campaign document."""
        create_topics(stack.kafka)
        self.directory: Final[Path] = stack.directory / "bench"
        self.directory.mkdir()
        self.redis_url: Final[str] = stack.redis
        self.stack: Final = stack
        self.keys: Final[Keys] = generate_keys()
        self.vectors: Final = fill_redis(redis.Redis.from_url(stack.redis), customers, time.time_ns() // 1_000_000)
        """What the features of all listeners are, shape (customers, features)."""
        self.model_store_directory: Final[Path] = self.directory / "models"
        store = ModelStore(str(self.model_store_directory))
        version = publish_model(store, self.keys.model_private_key, self.vectors, show_share)
        store.promote(version)
        self.model: Final = store.load(version, self.keys.model_public_key)
        self.campaigns: Final[Path] = self.directory / "campaigns.yaml"
        self.campaigns.write_text(campaigns)

    @property
    def redis_pid(self) -> int:
        """Another one after a restart."""
        return self.stack.process(Part.REDIS).pid

    @classmethod
    @contextmanager
    def start(
        cls, campaigns: str = CAMPAIGNS, customers: int = CUSTOMERS, show_share: float = SHOW_SHARE
    ) -> Iterator["Scene"]:
        """Real Redis and Kafka, until the end of the block."""
        with Stack.start({Part.KAFKA, Part.REDIS}, long_running=True) as stack:
            yield cls(stack, campaigns, customers, show_share)

    @contextmanager
    def servers(self, *fronts: str) -> Iterator[list[Server]]:
        """One process for each of `fronts`, side by side, each with a no-op method, until the end of the block."""
        with ExitStack() as cleanup:
            yield [
                cleanup.enter_context(self._running("bench.server", f"bench-{front}-{number}", front))
                for number, front in enumerate(fronts)
            ]

    @contextmanager
    def service(self, front: str, *, models: Path | None = None, **settings: str) -> Iterator[Server]:
        """The service as it is run in earnest, until the end of the block; `models` is a store of its own, `settings` are
        variables."""
        with self._running("services.decision", f"decision-{front}", front, models, settings) as server:
            yield server

    @contextmanager
    def _running(
        self,
        module: str,
        name: str,
        front: str,
        models: Path | None = None,
        settings: Mapping[str, str] = MappingProxyType({}),
    ) -> Iterator[Server]:
        addresses = choose_addresses()
        store = models or self.model_store_directory
        environments = Environments(self.stack, self.keys, store, addresses, self.campaigns)
        process = ServiceProcess.launch(
            name,
            module,
            {**environments.decision(), "DECISION_FRONT": front, **settings},
            ready=grpc_ready(addresses.decision),
            log_directory=self.stack.log_directory,
        )
        try:
            process.wait_until_ready()
            metrics_url = f"http://{LOOPBACK}:{addresses.decision_metrics_port}/metrics"
            yield Server(front, addresses.decision, process.pid, metrics_url)
        finally:
            process.terminate(10)
