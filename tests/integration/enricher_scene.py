"""A history in Kafka, enrichers as processes that fold it, and what they leave in Redis."""

import random
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.error import HTTPError
from urllib.request import urlopen

import redis
from confluent_kafka import Consumer, KafkaException, TopicPartition
from google.protobuf import json_format
from google.protobuf.message import Message
from prometheus_client.parser import text_string_to_metric_families

from devstack.ports import LOOPBACK, free_port
from devstack.service import ServiceProcess, http_ready
from devstack.stack import Stack
from interlude.events.topics import PARTITIONER, Topic
from interlude.features.generation import GENERATION_KEY
from interlude.servicekit.producing import RecordProducer
from interlude.v1 import events_pb2 as pb

DEADLINE_S: Final = 60.0
READ_TOPICS: Final = (Topic.LISTENS, Topic.AD_EVENTS, Topic.CUSTOMERS)
BASE_MS: Final = 1_700_000_000_000
_POLL_S: Final = 0.02
_ANSWER_S: Final = 5.0
_MINUTE_MS: Final = 60_000
_GENERATION: Final = re.compile(rb"^([sf])[0-9]*:")
_ZONES: Final = ("", "America/Chicago", "Asia/Kolkata")


def until(condition: Callable[[], bool], what: str, timeout_s: float = DEADLINE_S) -> None:
    """Polls until `condition` holds; fails with `what` when it does not in time."""
    deadline = time.monotonic() + timeout_s
    pace = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, what
        pace.wait(_POLL_S)


class Sent(NamedTuple):
    """One record of a history; no message means a tombstone."""

    topic: Topic
    customer_id: int
    message: Message | None


def history(customers: int, records: int, seed: int = 1) -> list[Sent]:
    """Listens, ad events and profiles in disorder, some of them twice, one customer in ten busier than a state remembers."""
    chance = random.Random(seed)
    sent = [Sent(Topic.CUSTOMERS, customer_id, _profile(customer_id, chance)) for customer_id in range(customers)]
    while len(sent) < records:
        busy = chance.random() < 0.4
        customer_id = chance.randrange(0, customers, 10) if busy else chance.randrange(customers)
        kind = chance.random()
        if kind < 0.85:
            sent.append(Sent(Topic.LISTENS, customer_id, _listen(customer_id, len(sent), chance)))
        elif kind < 0.95:
            sent.append(Sent(Topic.AD_EVENTS, customer_id, _ad_event(customer_id, len(sent), chance)))
        elif kind < 0.99:
            sent.append(chance.choice(sent))
        else:
            sent.append(Sent(Topic.CUSTOMERS, customer_id, _profile(customer_id, chance)))
    return [*sent, *(Sent(Topic.CUSTOMERS, customer_id, None) for customer_id in range(0, customers, 17))]


def _listen(customer_id: int, number: int, chance: random.Random) -> pb.Listen:
    listen = pb.Listen(
        event_id=f"listen-{number}",
        customer_id=customer_id,
        track_id=chance.randrange(12),
        # Within forty minutes four times a day: sessions, in which tracks come again.
        played_at_ms=BASE_MS + (chance.randrange(20) * 360 + chance.randrange(40)) * _MINUTE_MS,
        device=chance.choice((pb.DEVICE_MOBILE, pb.DEVICE_PC)),
        postal_code="60601",
    )
    if chance.random() < 0.8:
        listen.utc_offset_minutes = chance.choice((-360, 0, 330))
    return listen


def _ad_event(customer_id: int, number: int, chance: random.Random) -> pb.AdEvent:
    return pb.AdEvent(
        event_id=f"ad-{number}",
        customer_id=customer_id,
        kind=chance.choice((pb.AD_EVENT_KIND_IMPRESSION, pb.AD_EVENT_KIND_CLICK)),
        at_ms=BASE_MS + chance.randrange(10**9),
        campaign_id="gold",
        channel=pb.CHANNEL_PLAYER,
    )


def _profile(customer_id: int, chance: random.Random) -> pb.Customer:
    return pb.Customer(
        customer_id=customer_id,
        updated_at_ms=BASE_MS + chance.randrange(10**9),
        level=chance.choice((pb.LEVEL_FREE, pb.LEVEL_SILVER, pb.LEVEL_GOLD)),
        active=chance.random() < 0.9,
        consent_player_offers=chance.random() < 0.8,
        phone="+15550100",
        name="Ada Example",
        time_zone=chance.choice(_ZONES),
    )


def produce(bootstrap: str, records: list[Sent], *, json_every: int = 3) -> None:
    """Puts them into Kafka; every `json_every`-th as JSON without a content type, as a log shipper would."""
    producer = RecordProducer(bootstrap, client_id="test", partitioner=PARTITIONER, linger_ms=5)
    for number, (topic, customer_id, message) in enumerate(records):
        value = None
        if message is not None:
            as_json = number % json_every == 0
            value = json_format.MessageToJson(message).encode() if as_json else message.SerializeToString()
        assert producer.send(topic, b"%d" % customer_id, value)
    producer.flush(DEADLINE_S)


class Progress:
    """How far a group has come in the topics that the enricher reads."""

    def __init__(self, bootstrap: str, group_id: str) -> None:
        self._consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group_id})
        metadata = self._consumer.list_topics(timeout=DEADLINE_S).topics
        self._partitions = [
            TopicPartition(topic, partition) for topic in READ_TOPICS for partition in metadata[topic].partitions
        ]
        self.end = sum(self._consumer.get_watermark_offsets(p, timeout=DEADLINE_S)[1] for p in self._partitions)

    def committed(self) -> int:
        """Records that the group has committed."""
        offsets = self._consumer.committed(self._partitions, timeout=_ANSWER_S)
        return sum(max(offset.offset, 0) for offset in offsets)

    def reach(self, share: float) -> None:
        """Waits until that share of all records is committed."""
        until(lambda: self._has_reached(share), f"{share:.0%} of the records were not committed")

    def _has_reached(self, share: float) -> bool:
        try:
            return self.committed() >= share * self.end
        except KafkaException:
            return False  # a Kafka that has just been started does not know its groups yet

    def close(self) -> None:
        """Ends its connection."""
        self._consumer.close()


@dataclass(frozen=True, slots=True)
class EnricherProcess:
    """One running enricher and where it tells how it is."""

    process: ServiceProcess
    url: str

    def waits_for(self) -> str:
        """What /readyz says it waits for; empty when it is ready."""
        try:
            with urlopen(f"{self.url}/readyz", timeout=DEADLINE_S) as answer:
                assert answer.status == 200
                return ""
        except HTTPError as error:
            with error:
                return error.read().decode().strip()

    def sample(self, name: str, **labels: str) -> float:
        """The sum of a metric over all samples with these labels."""
        with urlopen(f"{self.url}/metrics", timeout=DEADLINE_S) as answer:
            families = text_string_to_metric_families(answer.read().decode())
        samples = [sample for family in families for sample in family.samples if sample.name == name]
        return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


def launch_enricher(
    stack: Stack,
    group_id: str,
    database: int,
    settings: Mapping[str, str] | None = None,
    module: str = "services.enricher",
) -> EnricherProcess:
    """Starts an enricher that reads as `group_id` and writes to that database of Redis."""
    port = free_port()
    environment = {
        "ENRICHER_METRICS_PORT": str(port),
        "ENRICHER_KAFKA_BOOTSTRAP": stack.kafka,
        "ENRICHER_REDIS_URL": redis_url(stack, database),
        "ENRICHER_GROUP_ID": group_id,
        "ENRICHER_SESSION_TIMEOUT_MS": "1500",
        "ENRICHER_REDIS_TIMEOUT_MS": "300",
        **(settings or {}),
    }
    url = f"http://{LOOPBACK}:{port}"
    process = ServiceProcess.launch(
        f"{group_id}-{port}",
        module,
        environment,
        ready=http_ready(f"{url}/readyz"),
        log_directory=stack.log_directory,
    )
    return EnricherProcess(process, url)


def start_command(stack: Stack, group_id: str, database: int, *arguments: str) -> "subprocess.Popen[str]":
    """Begins a command of the enricher, such as `rebuild`, beside the enrichers of that group and database."""
    environment = {
        "ENRICHER_METRICS_PORT": "1",
        "ENRICHER_KAFKA_BOOTSTRAP": stack.kafka,
        "ENRICHER_REDIS_URL": redis_url(stack, database),
        "ENRICHER_GROUP_ID": group_id,
    }
    command = [sys.executable, "-m", "services.enricher", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def redis_url(stack: Stack, database: int) -> str:
    """URL of one database."""
    return f"{stack.redis.rpartition('/')[0]}/{database}"


def empty(stack: Stack, database: int) -> None:
    """Removes all that the database holds."""
    with redis.Redis.from_url(redis_url(stack, database)) as client:
        client.flushdb()


def values_in(stack: Stack, database: int) -> dict[bytes, bytes]:
    """Every key of the database with its bytes, but for what says which generation is in use: that has the time in it."""
    with redis.Redis.from_url(redis_url(stack, database)) as client:
        keys = sorted(key for key in client.scan_iter(count=5000) if not key.startswith(GENERATION_KEY.encode()))
        return dict(zip(keys, client.mget(keys), strict=True)) if keys else {}


def in_generation_0(values: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """The same under the names of generation 0, to compare; all of them must be of one generation."""
    numbers = {key[1 : key.index(b":")] for key in values}
    assert len(numbers) <= 1, f"several generations: {numbers}"
    return {_GENERATION.sub(rb"\1:", key): value for key, value in values.items()}
