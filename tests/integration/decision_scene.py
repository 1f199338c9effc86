"""A running decision service in a test: what is put before it, how it is asked, and what can be seen of it."""

import itertools
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, cast
from urllib.request import urlopen

import grpc
import pytest
import redis
from confluent_kafka import Consumer, Message, TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from devstack.environment import Environments, choose_addresses
from devstack.ports import LOOPBACK
from devstack.service import ServiceProcess, grpc_ready, http_ready
from devstack.stack import Stack
from devstack.topics import create_topics
from interlude.features.codec import hot_key
from interlude.models.store import ModelStore
from interlude.v1 import decision_pb2 as pb
from interlude.v1 import decision_pb2_grpc
from services.decision import native_front
from tests.listeners import hot_features
from tests.models import KEYS, ModelSpec, promote

FRONTS: Final = (
    "grpcio",
    pytest.param(
        "native",
        marks=pytest.mark.skipif(not native_front.AVAILABLE, reason="native front: no Rust compiler at set-up"),
    ),
)
"""Both gRPC servers, for fixtures: whatever one does, the other does."""

DEADLINE_S: Final = 30.0
PATIENT_S: Final = 20.0
"""A deadline for calls whose time is not what a test is about."""
UNHURRIED: Final = {"DECISION_REDIS_TIMEOUT_MS": "5000"}
"""Settings under which a busy machine does not turn answers into degraded ones."""
_POLL_S: Final = 0.01


def until(condition: Callable[[], bool], what: str, timeout_s: float = DEADLINE_S) -> None:
    """Polls until `condition` holds; fails with `what` when it does not in time."""
    deadline = time.monotonic() + timeout_s
    pace = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, what
        pace.wait(_POLL_S)


@dataclass(frozen=True)
class DecisionScene:
    """One decision service with a model store of its own."""

    stack: Stack
    process: ServiceProcess
    target: str
    metrics_url: str
    store: ModelStore
    channel: grpc.Channel
    redis: "redis.Redis"

    @property
    def stub(self) -> decision_pb2_grpc.DecisionServiceStub:
        """The service's methods."""
        return decision_pb2_grpc.DecisionServiceStub(self.channel)

    def decide(self, customer_id: int, *, timeout_s: float = PATIENT_S, **fields: Any) -> pb.DecideResponse:
        """Asks about one customer, under a request id of its own unless one is given."""
        request = pb.DecideRequest(**{"request_id": secrets.token_hex(8), "customer_id": customer_id, **fields})
        return self.stub.Decide(request, timeout=timeout_s)

    def new_listener(self, value: bytes | None = None) -> int:
        """A customer whom no other test knows, with a profile and listens that allow the offer."""
        customer_id = secrets.randbits(63)
        self.redis.set(hot_key(customer_id), value or hot_features())
        return customer_id

    def metrics_text(self) -> str:
        """What Prometheus would read."""
        with urlopen(self.metrics_url, timeout=DEADLINE_S) as answer:
            text: str = answer.read().decode()
        return text

    def sample(self, name: str, **labels: str) -> float:
        """The value of a metric, 0 while it does not exist."""
        families = text_string_to_metric_families(self.metrics_text())
        samples = itertools.chain.from_iterable(family.samples for family in families)
        return sum(
            sample.value for sample in samples if sample.name == name and labels.items() <= sample.labels.items()
        )


@contextmanager
def running(
    stack: Stack,
    directory: Path,
    *,
    redis_url: str = "",
    model: ModelSpec | None = None,
    front: str = "auto",
    settings: Mapping[str, str] = MappingProxyType({}),
    credentials: grpc.ChannelCredentials | None = None,
) -> Iterator[DecisionScene]:
    """A decision service on `stack`, with `model` as its champion; `redis_url` replaces the stack's Redis.

    With `credentials` it is asked over TLS, and found ready over HTTP, as Kubernetes finds it then.
    """
    create_topics(stack.kafka)
    url, store = redis_url or stack.redis, ModelStore(str(directory / "models"))
    promote(store, model)
    addresses = choose_addresses()
    environment = Environments(stack, KEYS, directory / "models", addresses).decision()
    telemetry = f"http://{LOOPBACK}:{addresses.decision_metrics_port}"
    process = ServiceProcess.launch(
        "decision",
        "services.decision",
        {**environment, "DECISION_REDIS_URL": url, "DECISION_FRONT": front, **settings},
        ready=http_ready(f"{telemetry}/readyz") if credentials else grpc_ready(addresses.decision),
        log_directory=directory,
    )
    target = addresses.decision
    channel = grpc.secure_channel(target, credentials) if credentials else grpc.insecure_channel(target)
    client = redis.Redis.from_url(url)
    with client, channel:
        try:
            process.wait_until_ready()
            yield DecisionScene(stack, process, target, f"{telemetry}/metrics", store, channel, client)
        finally:
            process.terminate()


def refusal(call: Callable[[], object]) -> grpc.Call:
    """The error with which `call` ends."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return cast(grpc.Call, caught.value)


class LightLoad:
    """Callers that ask one question after the other until the end of the block; how each call ended is in `ends`."""

    def __init__(self, scene: DecisionScene, *, callers: int = 2, timeout_s: float = PATIENT_S) -> None:
        self.ends: Counter[str] = Counter()
        self.versions: Counter[str] = Counter()
        self.scores: set[tuple[str, float]] = set()
        """Version and score of every answer."""
        self._scene = scene
        self._timeout_s = timeout_s
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.customer_id = scene.new_listener()
        self._threads = [threading.Thread(target=self._ask) for _ in range(callers)]

    def __enter__(self) -> "LightLoad":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait_for_calls(self, count: int) -> None:
        """Returns once `count` calls more have ended."""
        goal = self.ends.total() + count
        until(lambda: self.ends.total() >= goal, "the load does not get on")

    def wait_for_version(self, version: str) -> None:
        """Returns once an answer was made with that model."""
        until(lambda: self.versions[version] > 0, f"version {version} never served")

    def _ask(self) -> None:
        while not self._stop.wait(0.002):
            version = ""
            try:
                answer = self._scene.decide(self.customer_id, timeout_s=self._timeout_s)
                end, version = "OK", answer.model_version
                self.scores.add((version, round(answer.score, 4)))
            except grpc.RpcError as error:
                end = cast(grpc.Call, error).code().name
            with self._lock:
                self.ends[end] += 1
                self.versions[version] += 1


def read_topic(bootstrap: str, topic: str, is_ours: Callable[[Message], bool], count: int) -> list[Message]:
    """The records of `topic` that are ours, at least `count` of them, and any that come right behind them."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": secrets.token_hex(8), "enable.auto.commit": False})
    try:
        partitions = consumer.list_topics(topic, timeout=DEADLINE_S).topics[topic].partitions
        consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
        found: list[Message] = []
        deadline = time.monotonic() + DEADLINE_S
        while len(found) < count:
            assert time.monotonic() < deadline, f"{len(found)} of {count} records came on {topic}"
            found += [record for record in consumer.consume(1000, 0.1) if record.error() is None and is_ours(record)]
        return found + [record for record in consumer.consume(1000, 0.3) if record.error() is None and is_ours(record)]
    finally:
        consumer.close()


def value_of(record: Message) -> bytes:
    """The record's value, which has to be there."""
    value = record.value()
    assert isinstance(value, bytes)
    return value
