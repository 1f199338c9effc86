"""What a decision costs the service itself, step by step and without a network: `python -m bench.answering`.

Everything from the raw request to the raw answer and the log is the service's own, on a real Redis and a real model; only the
front is left out, and Kafka's client is given records for a broker that is not there. Printed is processor time of the thread
that answers and of the thread that logs, µs a decision, the least of many rounds: other work on the machine adds to rounds, and
takes nothing away. `collections` are those of the memory's cycles, which stop every thread.
"""

import argparse
import gc
import logging
import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import redis

from bench.population import CAMPAIGNS, fill_redis, publish_model
from devstack.keys import generate_keys
from devstack.stack import Part, Stack
from interlude.contacts.campaign import Campaigns
from interlude.contacts.campaign_file import parse_campaigns
from interlude.contacts.leases import BudgetLeases
from interlude.contacts.ledger import ContactLedger
from interlude.events.topics import PARTITIONER
from interlude.models.scorer import load_scorer
from interlude.models.store import ModelStore
from interlude.servicekit.producing import RecordProducer
from interlude.servicekit.redis import ConnectionPerThread
from interlude.v1 import decision_pb2 as pb
from interlude.v1 import events_pb2
from services.decision.champion import Roster, Serving
from services.decision.composition import SERVICE_VERSION, now_ms, settle_memory
from services.decision.decision_log import DecisionLog
from services.decision.engine import DecisionEngine
from services.decision.handler import DecisionHandler
from services.decision.journal import Journal
from services.decision.listeners import RedisListeners
from services.decision.methods import path_of
from services.decision.metrics import DecisionMetrics
from services.decision.outcomes import OutcomeTaker
from services.decision.reported import ReportedOutcomes
from services.decision.reserving import Reserver
from services.decision.tokens import TokenIssuer

BATCHES: Final = (1, 8, 32, 128)
CUSTOMERS: Final = 20_000
SHOW_SHARE: Final = 0.10
DECISIONS_A_ROUND: Final = 512
NOWHERE: Final = "127.0.0.1:9"
"""Where no broker is: records stay in the queue of Kafka's client until the round is over."""
REDIS_TIMEOUT_MS: Final = 1000
PATIENCE_SECONDS: Final = 10.0

_DECIDE: Final = path_of("Decide")
_KEY: Final = bytes(32)


class FixedModels(NamedTuple):
    """Models that stay."""

    roster: Roster


class FixedCampaigns(NamedTuple):
    """Campaigns that stay."""

    current: Campaigns


class Scene(NamedTuple):
    """Redis with listeners, and a model that shows the offer to some of them."""

    redis_url: str
    serving: Serving


class Parts(NamedTuple):
    """What is measured."""

    handler: DecisionHandler
    decision_log: DecisionLog
    journal: Journal
    producer: RecordProducer


class Steps:
    """Adds up this thread's processor time by step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    def timed(self, step: str, part: object) -> Any:
        """`part`, the time of every call of its methods added to `step`."""
        return _Timed(step, part, self.seconds)


class _Timed:
    def __init__(self, step: str, part: object, seconds: dict[str, float]) -> None:
        self._step, self._part, self._seconds = step, part, seconds

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._part, name)
        if not callable(attribute):
            return attribute

        def call(*arguments: Any, **named: Any) -> Any:
            began = time.thread_time()
            try:
                return attribute(*arguments, **named)
            finally:
                self._seconds[self._step] += time.thread_time() - began

        return call


class _Untimed(Steps):
    def timed(self, _step: str, part: object) -> Any:
        return part


class Collections:
    """Runs of the collector of cycles while it is in `gc.callbacks`, and the longest of them."""

    def __init__(self) -> None:
        self.runs: Counter[int] = Counter()
        self.longest_ms = 0.0
        self._began = 0.0

    def __call__(self, phase: str, info: Mapping[str, int]) -> None:
        if phase == "start":
            self._began = time.thread_time()
        else:
            self.runs[info["generation"]] += 1
            self.longest_ms = max(self.longest_ms, (time.thread_time() - self._began) * 1000)


@contextmanager
def scene() -> Iterator[Scene]:
    """Until the end of the block."""
    keys = generate_keys()
    with Stack.start({Part.REDIS}) as stack, TemporaryDirectory() as directory:
        vectors = fill_redis(redis.Redis.from_url(stack.redis), CUSTOMERS, now_ms())
        store = ModelStore(directory)
        stored = store.load(publish_model(store, keys.model_private_key, vectors, SHOW_SHARE), keys.model_public_key)
        yield Scene(stack.redis, Serving("bench", load_scorer(stored), stored.manifest.threshold))


def compose(scene: Scene, steps: Steps) -> Parts:
    """The service but for its front and its threads."""
    connections, metrics = ConnectionPerThread(scene.redis_url, timeout_ms=REDIS_TIMEOUT_MS), DecisionMetrics()
    budgets = BudgetLeases(connections, holder="bench", now_ms=now_ms, timeout_seconds=1)
    serving = scene.serving
    engine = DecisionEngine(
        steps.timed("read of Redis", RedisListeners(connections, metrics.corrupt_features.inc)),
        steps.timed("reservation", Reserver(ContactLedger(connections), budgets)),
        FixedModels(Roster(serving._replace(scorer=steps.timed("model", serving.scorer)))),
        now_ms=now_ms,
        reserve_seconds=0.002,
    )
    producer = RecordProducer(NOWHERE, client_id="bench", partitioner=PARTITIONER, linger_ms=10)
    journal = Journal(steps.timed("Kafka's client", producer))
    decision_log = DecisionLog(
        None, service_version=SERVICE_VERSION, on_dropped=lambda _topic, _count: None, on_spilled=lambda _topic: None
    )
    handler = DecisionHandler(
        steps.timed("engine", engine),
        FixedCampaigns(parse_campaigns(CAMPAIGNS.encode(), "bench")),
        TokenIssuer(_KEY),
        decision_log,
        OutcomeTaker(ReportedOutcomes(connections), journal, metrics.outcomes),
        metrics,
        now_ms=now_ms,
    )
    return Parts(handler, decision_log, journal, producer)


def requests(source: random.Random, count: int) -> list[bytes]:
    """Raw requests that were not asked before, of customers at random."""
    return [
        pb.DecideRequest(
            request_id=f"{source.getrandbits(128):032x}",
            customer_id=source.randrange(CUSTOMERS),
            next_track_id=source.randrange(1, 1 << 40),
            device=events_pb2.DEVICE_MOBILE,
        ).SerializeToString()
        for _ in range(count)
    ]


def one_round(parts: Parts, bodies: list[bytes], batch: int) -> tuple[float, float]:
    """Answer `bodies` in batches, then log them: µs of processor time a decision, of the one and of the other."""
    began = time.thread_time()
    for place in range(0, len(bodies), batch):
        chunk = bodies[place : place + batch]
        parts.handler.handle(_DECIDE, chunk, [PATIENCE_SECONDS] * len(chunk))
    answered = time.thread_time()
    parts.decision_log.write_waiting(parts.journal)
    logged = time.thread_time()
    parts.producer.give_up()
    scale = 1e6 / len(bodies)
    return (answered - began) * scale, (logged - answered) * scale


def measure(scene: Scene, batch: int, rounds: int, source: random.Random) -> dict[str, float]:
    """The least time of each step, µs a decision, and what the collector of cycles did, a million decisions."""
    plain, steps = compose(scene, _Untimed()), Steps()
    timed = compose(scene, steps)
    taken: dict[str, list[float]] = {}
    collections = Collections()
    gc.callbacks.append(collections)
    try:
        for _ in range(rounds):
            answering, logging = one_round(plain, requests(source, DECISIONS_A_ROUND), batch)
            steps.seconds.clear()
            one_round(timed, requests(source, DECISIONS_A_ROUND), batch)
            by_step = {step: seconds * 1e6 / DECISIONS_A_ROUND for step, seconds in steps.seconds.items()}
            inside = sum(by_step[step] for step in ("read of Redis", "model", "reservation"))
            by_step |= {"answering": answering, "logging": logging, "facts and policy": by_step["engine"] - inside}
            for step, value in by_step.items():
                taken.setdefault(step, []).append(value)
    finally:
        gc.callbacks.remove(collections)
    least = {step: min(values) for step, values in taken.items()}
    least["edge"] = least["answering"] - least["engine"]
    return {**least, "longest collection, ms": collections.longest_ms, "collections": collections.runs.total()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.answering", description=__doc__)
    parser.add_argument("--rounds", type=int, default=60, help="rounds of each size of batch")
    parser.add_argument("--batches", type=int, nargs="*", default=BATCHES, help="sizes of batches")
    arguments = parser.parse_args()
    logging.getLogger("kafka").disabled = True  # it says that there is no broker, as is meant
    source = random.Random()
    with scene() as prepared:
        settle_memory()
        tables = {batch: measure(prepared, batch, arguments.rounds, source) for batch in arguments.batches}
    print(f"{'µs a decision, batches of':26}" + "".join(f"{batch:>10}" for batch in tables))
    for step in next(iter(tables.values())):
        print(f"{step:26}" + "".join(f"{table[step]:10.2f}" for table in tables.values()))


if __name__ == "__main__":
    main()
