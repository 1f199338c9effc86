"""The decision service behind each front, on one Redis with listeners, one Kafka and one model."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import redis

from bench.population import fill_redis, publish_model, write_campaigns
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

    def __init__(self, stack: Stack) -> None:
        """Fills Redis and publishes the model."""
        create_topics(stack.kafka)
        self.directory: Final[Path] = stack.directory / "bench"
        self.directory.mkdir()
        self.redis_url: Final[str] = stack.redis
        self.redis_pid: Final[int] = stack.process(Part.REDIS).pid
        self._stack = stack
        self._keys: Keys = generate_keys()
        self._models = self.directory / "models"
        self.vectors: Final = fill_redis(redis.Redis.from_url(stack.redis), CUSTOMERS, time.time_ns() // 1_000_000)
        store = ModelStore(str(self._models))
        version = publish_model(store, self._keys.model_private_key, self.vectors, SHOW_SHARE)
        self.model: Final = store.load(version, self._keys.model_public_key)
        self.log_directory: Final = stack.log_directory
        self._campaigns = write_campaigns(self.directory / "campaigns.json")

    @classmethod
    @contextmanager
    def start(cls) -> Iterator["Scene"]:
        """Real Redis and Kafka, until the end of the block."""
        with Stack.start({Part.KAFKA, Part.REDIS}) as stack:
            yield cls(stack)

    @contextmanager
    def servers(self, *fronts: str) -> Iterator[list[Server]]:
        """One process for each of `fronts`, side by side, until the end of the block."""
        with ExitStack() as cleanup:
            yield [self._start(front, number, cleanup) for number, front in enumerate(fronts)]

    def _start(self, front: str, number: int, cleanup: ExitStack) -> Server:
        addresses = choose_addresses()
        environment = Environments(self._stack, self._keys, self._models, addresses, self._campaigns).decision()
        process = ServiceProcess.launch(
            f"bench-{front}-{number}",
            "bench.server",
            {**environment, "DECISION_FRONT": front},
            ready=grpc_ready(addresses.decision),
            log_directory=self.log_directory,
        )
        cleanup.callback(process.terminate, 10)
        process.wait_until_ready()
        return Server(front, addresses.decision, process.pid)
