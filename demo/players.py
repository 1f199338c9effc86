"""Simulated players, in a process of their own: they ask before each track, play it, and report what happened to an offer.

Open loop: a question is due at a fixed rate, whether or not earlier ones are answered, and its latency counts from when it was
due, so that a pause of the service, or of this process, shows in every question that it delayed.

    python -m demo.players SETTINGS.json
"""

import gc
import json
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, Protocol

from demo.listeners import Listener, listener
from demo.simulator import next_listen, outcome_of
from demo.status import write_status
from demo.tally import Tally
from interlude.client import Decision, DecisionClient, Outcome
from interlude.events.topics import PARTITIONER, Topic
from interlude.events.writing import to_record
from interlude.servicekit.lifecycle import stop_on_signals
from interlude.servicekit.producing import KafkaHeaders, RecordProducer
from interlude.v1 import events_pb2 as pb

SOURCE: Final = "demo-players"
_WORKERS: Final = 16
_STATUS_SECONDS: Final = 0.25
_FLUSH_SECONDS: Final = 20.0
LINGER_MS: Final = 20
"""One process stands for many players, whose records the way to Kafka gathers anyway."""

_SWITCH_SECONDS: Final = 0.0005
"""Python's threads take turns of 5 ms unless told otherwise: an answer that waits for another thread's turn would count as
the service's latency."""


@dataclass(frozen=True, slots=True)
class PlayersSettings:
    """What one run is told: addresses, the simulated population, questions per second, and where it reports."""

    decision: str
    kafka: str
    seed: int
    customers: int
    rate: float
    report: str


class Answerer(Protocol):
    """Who is asked: a `DecisionClient`."""

    def decide(
        self, customer_id: int, *, next_track_id: int = 0, campaign_id: str = "", request_id: str = ""
    ) -> Decision: ...

    def report(self, decision: Decision, outcome: Outcome, *, at_ms: int = 0) -> bool: ...


class RecordSink(Protocol):
    """Where listens go: a `RecordProducer`."""

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: KafkaHeaders | None = None) -> bool: ...


@dataclass(frozen=True, slots=True)
class Turn:
    """One track about to be played, and what its listener would do if the offer came first."""

    person: Listener
    listen: pb.Listen
    outcome_if_shown: pb.AdEventKind | None
    due_seconds: float


class Players:
    """Takes turns: ask, report, play."""

    def __init__(self, answerer: Answerer, sink: RecordSink, tally: Tally, seconds: Callable[[], float]) -> None:
        """`seconds` is a monotonic clock; `Turn.due_seconds` is a time of it."""
        self._answerer = answerer
        self._sink = sink
        self._tally = tally
        self._seconds = seconds

    def take(self, turn: Turn) -> None:
        """Ask; report what became of an offer; play the track."""
        decision = self._answerer.decide(turn.person.customer_id, next_track_id=turn.listen.track_id)
        self._tally.count_answer(decision, (self._seconds() - turn.due_seconds) * 1000)
        if decision.show:
            self._report(decision, turn)
        self._play(turn.listen)

    def _report(self, decision: Decision, turn: Turn) -> None:
        self._tally.count_report(self._answerer.report(decision, Outcome.IMPRESSION))
        outcome = turn.outcome_if_shown
        if outcome is not None:
            self._tally.count_report(self._answerer.report(decision, Outcome(outcome)))
        self._tally.count_exposure(outcome == pb.AD_EVENT_KIND_CLICK, turn.person.click_probability)

    def _play(self, listen: pb.Listen) -> None:
        record = to_record(
            listen,
            customer_id=listen.customer_id,
            event_id=listen.event_id,
            at_ms=listen.played_at_ms,
            source=SOURCE,
        )
        if self._sink.send(Topic.LISTENS, record.key, record.value, [*record.headers]):
            self._tally.count_listen()


class Turns:
    """Who plays what next: seeded, so that the same run asks the same questions in the same order."""

    def __init__(self, seed: int, customers: int) -> None:
        self._chance = random.Random(f"players/{seed}")
        self._customers = customers
        self._run_id = f"live/{seed}/{time.time_ns()}"
        self._number = 0
        self._listener = lru_cache(maxsize=100_000)(lambda customer_id: listener(seed, customer_id))

    def next(self, at_ms: int, due_seconds: float) -> Turn:
        """The next turn, at `at_ms` (epoch ms)."""
        self._number += 1
        person = self._listener(self._chance.randrange(self._customers))
        listen = next_listen(self._chance, person, f"{self._run_id}/{self._number}", at_ms)
        return Turn(person, listen, outcome_of(self._chance, person), due_seconds)


def play(players: Players, turns: Turns, rate: float, stop: threading.Event, report: Callable[[], None]) -> None:
    """Start `rate` turns a second until `stop`, calling `report` a few times a second; returns when all are finished."""
    begun = time.perf_counter()
    number, reported = 0, begun
    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="player") as pool:
        while not stop.is_set():
            due = begun + number / rate
            time.sleep(max(0.0, due - time.perf_counter()))
            pool.submit(players.take, turns.next(time.time_ns() // 1_000_000, due))
            number += 1
            if due - reported > _STATUS_SECONDS:
                reported = due
                report()


def main() -> None:
    """Plays until SIGTERM, then writes the final report."""
    settings = PlayersSettings(**json.loads(Path(sys.argv[1]).read_text()))
    report = Path(settings.report)
    stop = stop_on_signals()
    sys.setswitchinterval(_SWITCH_SECONDS)
    tally = Tally()
    producer = RecordProducer(settings.kafka, client_id=SOURCE, partitioner=PARTITIONER, linger_ms=LINGER_MS)
    with serving_deliveries(producer), DecisionClient(settings.decision) as client:
        client.warm_up()
        gc.freeze()  # what was imported is not looked through again while answers are timed
        players = Players(client, producer, tally, time.perf_counter)
        turns = Turns(settings.seed, settings.customers)
        play(players, turns, settings.rate, stop, lambda: write_status(report, tally.progress()))
    producer.flush(_FLUSH_SECONDS)
    write_status(report, tally.result())


@contextmanager
def serving_deliveries(producer: RecordProducer) -> Iterator[None]:
    """A thread serves the producer's delivery reports within the block."""
    finished = threading.Event()
    thread = threading.Thread(target=producer.poll_until, args=(finished,), name="deliveries", daemon=True)
    thread.start()
    try:
        yield
    finally:
        finished.set()
        thread.join()


if __name__ == "__main__":
    main()
