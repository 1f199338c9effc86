"""The decision service behind each front, on one Redis with listeners, one Kafka and one model."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import redis

from bench.population import CAMPAIGNS, fill_redis, publish_model
from devstack.environment import Environments, choose_addresses
from devstack.keys import Keys, generate_keys
from devstack.service import ServiceProcess, grpc_ready
from devstack.stack import Part, Stack
from devstack.topics import create_topics
from interlude.models.store import ModelStore

CUSTOMERS: Final = 100_000
SHOW_SHARE: Final = 0.10


@dataclass(frozen=True, slots=True)
class Server:
    """A process that answers; `target` is host:port."""

    front: str
    target: str
    pid: int


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
        self.redis_pid: Final[int] = stack.process(Part.REDIS).pid
        self.kafka: Final[str] = stack.kafka
        self._stack = stack
        self.keys: Final[Keys] = generate_keys()
        self.model_store_directory: Final[Path] = self.directory / "models"
        self.vectors: Final = fill_redis(redis.Redis.from_url(stack.redis), customers, time.time_ns() // 1_000_000)
        publish_model(
            ModelStore(str(self.model_store_directory)), self.keys.model_private_key, self.vectors, show_share
        )
        self.campaigns: Final[Path] = self.directory / "campaigns.yaml"
        self.campaigns.write_text(campaigns)

    @classmethod
    @contextmanager
    def start(
        cls, campaigns: str = CAMPAIGNS, customers: int = CUSTOMERS, show_share: float = SHOW_SHARE
    ) -> Iterator["Scene"]:
        """Real Redis and Kafka, until the end of the block."""
        with Stack.start({Part.KAFKA, Part.REDIS}) as stack:
            yield cls(stack, campaigns, customers, show_share)

    @contextmanager
    def servers(self, *fronts: str) -> Iterator[list[Server]]:
        """One process for each of `fronts`, side by side, until the end of the block."""
        with ExitStack() as cleanup:
            yield [self._start(front, number, cleanup) for number, front in enumerate(fronts)]

    def _start(self, front: str, number: int, cleanup: ExitStack) -> Server:
        addresses = choose_addresses()
        environment = Environments(
            self._stack, self.keys, self.model_store_directory, addresses, self.campaigns
        ).decision()
        process = ServiceProcess.launch(
            f"bench-{front}-{number}",
            "bench.server",
            {**environment, "DECISION_FRONT": front},
            ready=grpc_ready(addresses.decision),
            log_directory=self._stack.log_directory,
        )
        cleanup.callback(process.terminate, 10)
        process.wait_until_ready()
        return Server(front, addresses.decision, process.pid)
