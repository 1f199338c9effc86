"""Received = applied + duplicate + dead-lettered + returned + in flight, whatever fails on the way, at every moment."""

import random
from collections import Counter

import pytest
from confluent_kafka import Message

from interlude.servicekit.dead_letter_limit import DeadLetterLimit
from interlude.servicekit.errors import Unavailable
from interlude.v1 import events_pb2 as pb
from services.enricher.handler import EnricherHandler
from services.enricher.metrics import EnricherMetrics
from services.enricher.reconciliation import EventOutcome, Place, Reconciliation
from tests.unit.enricher.fakes import FakeOutbox, FakeStates

NOW_MS = 1_700_000_000_000
PARTITIONS = 4
LISTENS = ("listens", 2)
OTHER = ("listens", 3)


def _record(offset: int, partition: int, customer_id: int, *, good: bool) -> Message:
    listen = pb.Listen(
        event_id=f"e{offset}", customer_id=customer_id, track_id=1, played_at_ms=NOW_MS, device=pb.DEVICE_PC
    )
    value = listen.SerializeToString() if good else b"\xff"
    return Message(
        topic="listens", partition=partition, offset=offset, key=b"%d" % customer_id, value=value, timestamp=(1, NOW_MS)
    )


def _unaccounted(metrics: EnricherMetrics) -> dict[tuple[str, str], float]:
    """By the exposition alone, as the alert does it: what was received and has come to no end and is not in flight."""
    balance: Counter[tuple[str, str]] = Counter()
    for family in metrics.registry.collect():
        for sample in family.samples:
            place = sample.labels.get("topic", ""), sample.labels.get("partition", "")
            if sample.name == "interlude_enricher_received_total":
                balance[place] += int(sample.value)
            elif sample.name in {"interlude_enricher_events_total", "interlude_enricher_in_flight_events"}:
                balance[place] -= int(sample.value)
    return {place: difference for place, difference in balance.items() if difference}


def _total(reconciliation: Reconciliation, outcome: EventOutcome, place: Place = LISTENS) -> int:
    return reconciliation.accounts().outcomes.get((place, outcome), 0)


def test_a_batch_is_in_flight_until_it_is_handled() -> None:
    reconciliation = Reconciliation()
    reconciliation.begin(Counter({LISTENS: 2, OTHER: 1}))
    reconciliation.count(LISTENS, EventOutcome.APPLIED, 2)
    under_way = reconciliation.accounts()
    assert (under_way.received[LISTENS], under_way.in_flight[LISTENS], under_way.outcomes) == (2, 2, {})
    reconciliation.end()
    assert reconciliation.accounts().in_flight == {LISTENS: 0, OTHER: 0}
    assert _total(reconciliation, EventOutcome.APPLIED) == 2


def test_a_batch_that_is_repeated_and_has_grown_is_received_once() -> None:
    reconciliation = Reconciliation()
    reconciliation.begin(Counter({LISTENS: 1}))
    reconciliation.count(LISTENS, EventOutcome.APPLIED, 1)
    reconciliation.begin(Counter({LISTENS: 2}))
    reconciliation.count(LISTENS, EventOutcome.DUPLICATE, 2)
    reconciliation.end()
    assert reconciliation.accounts().received == {LISTENS: 2}
    assert _total(reconciliation, EventOutcome.APPLIED) == 0, "counted by the attempt that came to its end alone"


def test_what_a_rebalance_took_out_of_a_batch_is_returned() -> None:
    reconciliation = Reconciliation()
    reconciliation.begin(Counter({LISTENS: 2, OTHER: 1}))
    reconciliation.begin(Counter({OTHER: 1}))
    assert _total(reconciliation, EventOutcome.RETURNED) == 2
    reconciliation.end()
    assert reconciliation.accounts().in_flight[LISTENS] == 0


def test_a_batch_that_is_lost_whole_is_not_in_flight_any_more() -> None:
    reconciliation = Reconciliation()
    reconciliation.begin(Counter({LISTENS: 2}))
    reconciliation.abandon()
    assert reconciliation.accounts().in_flight == {LISTENS: 0}
    assert _total(reconciliation, EventOutcome.RETURNED) == 2


def test_a_partition_that_comes_back_with_fewer_records_was_fetched_again() -> None:
    reconciliation = Reconciliation()
    reconciliation.begin(Counter({LISTENS: 2}))
    reconciliation.begin(Counter({LISTENS: 1}))
    assert reconciliation.accounts().received == {LISTENS: 3}
    assert _total(reconciliation, EventOutcome.RETURNED) == 2


def test_an_event_that_falls_through_shows() -> None:
    metrics = EnricherMetrics()
    metrics.reconciliation.begin(Counter({LISTENS: 2}))
    metrics.reconciliation.count(LISTENS, EventOutcome.APPLIED, 1)
    assert _unaccounted(metrics) == {}
    metrics.reconciliation.end()
    assert _unaccounted(metrics) == {("listens", "2"): 1}


@pytest.mark.parametrize("seed", range(20))
def test_the_equation_holds_after_every_step_whatever_fails(seed: int) -> None:
    chance = random.Random(seed)
    journal: list[str] = []
    states, outbox, metrics = FakeStates(journal), FakeOutbox(journal), EnricherMetrics()
    limit = DeadLetterLimit(1.0, window_records=1, minimum_records=1)
    handler = EnricherHandler(states, outbox, metrics, limit, now_ms=lambda: NOW_MS)
    received = 0
    pending: list[Message] = []
    lost = -1
    for _ in range(60):
        fresh = [
            _record(chance.randrange(50), chance.randrange(PARTITIONS), chance.randrange(8), good=chance.random() < 0.8)
            for _ in range(chance.randrange(1, 12))
        ]
        # A partition that went does not come back with the next batch: its records would pass for those that it had.
        fresh = [record for record in fresh if record.partition() != lost]
        received += len(fresh)
        pending += fresh
        states.failing = {chance.choice(("read", "write"))} if chance.random() < 0.3 else set()
        states.written_before_failing = chance.randrange(3)
        outbox.is_failing = chance.random() < 0.2
        try:
            handler.handle(pending)
        except Unavailable:
            lost = chance.randrange(PARTITIONS) if chance.random() < 0.3 else -1
            pending = [record for record in pending if record.partition() != lost]
        else:
            pending, lost = [], -1
        assert _unaccounted(metrics) == {}
    accounts = metrics.reconciliation.accounts()
    assert sum(accounts.received.values()) == received
    assert {outcome for _, outcome in accounts.outcomes} >= {EventOutcome.APPLIED, EventOutcome.DEAD_LETTERED}
