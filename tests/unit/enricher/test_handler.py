"""One batch: what is published and written, in which order, and what happens when something is away."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from confluent_kafka import Message

from interlude.servicekit.dead_letter_limit import DeadLetterLimit, TooManyDeadLetters
from interlude.servicekit.errors import Unavailable
from interlude.v1 import events_pb2 as pb
from services.enricher.handler import EnricherHandler
from services.enricher.metrics import EnricherMetrics
from tests.unit.enricher.fakes import FakeOutbox, FakeStates

NOW_MS = 1_700_000_000_000
ARRIVED_MS = NOW_MS - 40
MINUTE_MS = 60_000


@dataclass
class Enricher:
    """A handler on fakes."""

    journal: list[str] = field(default_factory=list)
    now_ms: int = NOW_MS

    def __post_init__(self) -> None:
        self.states = FakeStates(self.journal)
        self.outbox = FakeOutbox(self.journal)
        self.metrics = EnricherMetrics(now_ms=lambda: NOW_MS)
        limit = DeadLetterLimit(0.5, window_records=1000, minimum_records=20)
        self._handler = EnricherHandler(self.states, self.outbox, self.metrics, limit, now_ms=lambda: self.now_ms)

    def handle(self, batch: Sequence[Message]) -> None:
        self._handler.handle(batch)

    def count(self, topic: str, outcome: str) -> float:
        labels = {"topic": topic, "partition": "0", "outcome": outcome}
        return self.metrics.registry.get_sample_value("interlude_enricher_events_total", labels) or 0.0

    def sample(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"interlude_enricher_{name}", labels) or 0.0


def _record(topic: str, offset: int, customer_id: int, value: bytes | None) -> Message:
    key = b"%d" % customer_id
    return Message(topic=topic, partition=0, offset=offset, key=key, value=value, timestamp=(1, ARRIVED_MS))


def _listen(offset: int, *, customer_id: int = 1, minute: int | None = None, track_id: int = 7) -> Message:
    played_at_ms = NOW_MS - 100 * MINUTE_MS + (offset if minute is None else minute) * MINUTE_MS
    listen = pb.Listen(
        event_id=f"{customer_id}/{offset}",
        customer_id=customer_id,
        track_id=track_id,
        played_at_ms=played_at_ms,
        device=pb.DEVICE_PC,
    )
    return _record("listens", offset, customer_id, listen.SerializeToString())


def _click(offset: int, customer_id: int = 1) -> Message:
    click = pb.AdEvent(
        event_id=f"{customer_id}/{offset}/click",
        customer_id=customer_id,
        kind=pb.AD_EVENT_KIND_CLICK,
        at_ms=NOW_MS,
        campaign_id="gold",
    )
    return _record("ad-events", offset, customer_id, click.SerializeToString())


def _profile(offset: int, customer_id: int = 1) -> Message:
    profile = pb.Customer(customer_id=customer_id, updated_at_ms=NOW_MS, level=pb.LEVEL_FREE, active=True)
    return _record("customers", offset, customer_id, profile.SerializeToString())


def _garbage(offset: int) -> Message:
    return _record("listens", offset, 1, b"\xff\xff\xff")


INTEREST = [_listen(0), _listen(1), _listen(2)]


def test_events_of_all_topics_end_in_one_state_with_their_offsets() -> None:
    enricher = Enricher()
    enricher.handle([_profile(4), _listen(8), _click(5), _listen(9)])
    state = enricher.states.kept[1]
    assert state.offsets == (9, 5, 4, -1)
    assert (len(state.listens.marks), len(state.ad_events.kinds)) == (2, 1)
    assert state.profile is not None


def test_a_batch_gives_the_bytes_that_one_by_one_gives() -> None:
    batch = [_profile(0), *INTEREST, _click(0), _listen(3, customer_id=2), _listen(4)]
    at_once, one_by_one = Enricher(), Enricher()
    at_once.handle(batch)
    for record in batch:
        one_by_one.handle([record])
    assert at_once.states.as_bytes() == one_by_one.states.as_bytes()
    assert at_once.outbox.interest_ids == one_by_one.outbox.interest_ids


def test_interests_are_in_kafka_before_the_state_is_written() -> None:
    enricher = Enricher()
    enricher.handle(INTEREST)
    assert enricher.journal == ["read", "interests", "flush", "write"]
    assert len(enricher.outbox.interest_ids) == 1


def test_who_has_no_interest_does_not_wait_for_kafka() -> None:
    enricher = Enricher()
    enricher.handle([*INTEREST, _listen(3, customer_id=2)])
    assert enricher.journal == ["read", "interests", "write", "flush", "write"]
    assert set(enricher.states.kept) == {1, 2}


def test_where_kafka_is_away_who_has_an_interest_is_not_written_and_the_rest_is_not_written_twice() -> None:
    enricher, undisturbed = Enricher(), Enricher()
    batch = [*INTEREST, _listen(3, customer_id=2)]
    enricher.outbox.is_failing = True
    with pytest.raises(Unavailable):
        enricher.handle(batch)
    assert set(enricher.states.kept) == {2}
    enricher.outbox.is_failing = False
    enricher.handle(batch)
    undisturbed.handle(batch)
    assert enricher.states.as_bytes() == undisturbed.states.as_bytes()
    assert enricher.count("listens", "applied") + enricher.count("listens", "duplicate") == len(batch)


def test_with_nothing_to_tell_kafka_is_left_alone() -> None:
    enricher = Enricher()
    enricher.handle([_listen(0)])
    assert enricher.journal == ["read", "write"]


def test_many_customers_are_read_and_written_together() -> None:
    enricher = Enricher()
    enricher.handle([_listen(number, customer_id=number, minute=0) for number in range(500)])
    assert enricher.journal == ["read", "write"]
    assert len(enricher.states.kept) == 500


def test_bad_records_are_dead_letters_and_the_rest_is_applied() -> None:
    enricher = Enricher()
    enricher.handle([_garbage(0), _listen(1), _garbage(2)])
    assert enricher.outbox.dead_letters == [(0, "parse: not a binary Listen"), (2, "parse: not a binary Listen")]
    assert enricher.states.kept[1].offsets[0] == 1
    assert (enricher.count("listens", "dead_lettered"), enricher.count("listens", "applied")) == (2, 1)


def test_a_batch_of_bad_records_alone_is_told_and_nothing_is_read() -> None:
    enricher = Enricher()
    enricher.handle([_garbage(0), _garbage(1)])
    assert enricher.journal == ["dead letter", "dead letter", "flush"]


def test_a_tombstone_deletes_the_profile() -> None:
    enricher = Enricher()
    enricher.handle([_profile(0), _listen(0)])
    enricher.handle([_record("customers", 1, 1, None)])
    assert enricher.states.kept[1].profile is None
    assert enricher.states.kept[1].offsets == (0, -1, 1, -1)


def test_a_repeated_batch_changes_nothing_and_writes_nothing() -> None:
    enricher = Enricher()
    batch = [*INTEREST, _profile(0), _click(0)]
    enricher.handle(batch)
    before = enricher.states.as_bytes()
    enricher.handle(batch)
    assert enricher.states.as_bytes() == before
    assert len(enricher.outbox.interest_ids) == 1
    assert (enricher.count("listens", "applied"), enricher.count("listens", "duplicate")) == (3, 3)


def test_the_same_event_under_a_new_offset_counts_as_duplicate_and_moves_the_offset() -> None:
    enricher = Enricher()
    first = _listen(0)
    again = Message(topic="listens", partition=0, offset=6, key=first.key(), value=first.value())
    enricher.handle([first, again])
    assert enricher.states.kept[1].offsets[0] == 6
    assert (enricher.count("listens", "applied"), enricher.count("listens", "duplicate")) == (1, 1)


@pytest.mark.parametrize("failing", ["read", "write"])
def test_without_redis_nothing_is_half_done_and_the_batch_can_be_repeated(failing: str) -> None:
    undisturbed, enricher = Enricher(), Enricher()
    batch = [*INTEREST, _profile(0), _listen(3, customer_id=2)]
    undisturbed.handle(batch)
    enricher.states.failing = {failing}
    with pytest.raises(Unavailable):
        enricher.handle(batch)
    assert enricher.states.kept == {}
    assert enricher.count("listens", "applied") == 0
    enricher.states.failing = set()
    enricher.handle(batch)
    assert enricher.states.as_bytes() == undisturbed.states.as_bytes()
    assert set(enricher.outbox.interest_ids) == set(undisturbed.outbox.interest_ids)


def test_without_redis_nothing_is_told() -> None:
    enricher = Enricher()
    enricher.states.failing = {"read"}
    with pytest.raises(Unavailable):
        enricher.handle([*INTEREST, _garbage(9)])
    assert enricher.journal == []


def test_without_kafka_nothing_is_written() -> None:
    enricher = Enricher()
    enricher.outbox.is_failing = True
    with pytest.raises(Unavailable):
        enricher.handle([*INTEREST, _garbage(9)])
    assert enricher.states.kept == {}
    assert enricher.count("listens", "dead_lettered") == 0


def test_a_write_that_stopped_halfway_is_completed_by_the_repetition() -> None:
    undisturbed, enricher = Enricher(), Enricher()
    batch = [_listen(number, customer_id=number % 3) for number in range(9)]
    undisturbed.handle(batch)
    enricher.states.failing, enricher.states.written_before_failing = {"write"}, 2
    with pytest.raises(Unavailable):
        enricher.handle(batch)
    enricher.states.failing = set()
    enricher.handle(batch)
    assert enricher.states.as_bytes() == undisturbed.states.as_bytes()


def test_a_listener_whom_another_enricher_wrote_is_read_and_folded_again() -> None:
    other, enricher = Enricher(), Enricher()
    other.handle([_listen(0), _listen(1)])
    interruptions = iter([other.states.kept[1]])

    def write_first() -> None:
        for state in interruptions:
            enricher.states.kept[1] = state

    enricher.states.before_write = write_first
    enricher.handle([*INTEREST, _listen(3, customer_id=2)])
    other.handle([*INTEREST, _listen(3, customer_id=2)])
    assert enricher.states.as_bytes() == other.states.as_bytes()
    once = ["read", "interests", "write", "flush", "write"]
    assert enricher.journal == [*once, "read", "interests", "flush", "write"]
    assert len(set(enricher.outbox.interest_ids)) == 1
    assert enricher.sample("conflicts_total") == 1
    assert (enricher.count("listens", "applied"), enricher.count("listens", "duplicate")) == (2, 2)


def test_a_conflict_tells_bad_records_once() -> None:
    enricher = Enricher()
    other = Enricher()
    other.handle([_listen(0)])
    interruptions = iter([other.states.kept[1]])

    def write_first() -> None:
        for state in interruptions:
            enricher.states.kept[1] = state

    enricher.states.before_write = write_first
    enricher.handle([_listen(0), _garbage(1)])
    assert len(enricher.outbox.dead_letters) == 1
    assert enricher.count("listens", "dead_lettered") == 1


def test_what_happened_is_measured() -> None:
    enricher = Enricher()
    enricher.handle([*INTEREST, _click(0), _garbage(5)])
    assert enricher.sample("interests_total") == 1
    assert enricher.sample("batch_records_sum") == 5
    assert enricher.sample("freshness_seconds_count", topic="listens") == 3
    assert enricher.sample("freshness_seconds_sum", topic="ad-events") == pytest.approx(0.040)
    for step in ("decode", "read", "fold", "publish", "write"):
        assert enricher.sample("step_seconds_count", step=step) == 1


def test_a_replay_refuses_what_was_ahead_when_it_arrived() -> None:
    live, replay = Enricher(), Enricher(now_ms=NOW_MS + 60 * MINUTE_MS)
    for enricher in (live, replay):
        enricher.handle([_listen(0, minute=104), _listen(1, minute=106)])
    assert [offset for offset, _ in live.outbox.dead_letters] == [1]
    assert replay.outbox.dead_letters == live.outbox.dead_letters
    assert replay.states.as_bytes() == live.states.as_bytes()


def test_an_event_more_than_five_minutes_ahead_is_a_dead_letter() -> None:
    enricher = Enricher()
    enricher.handle([_listen(0, minute=104), _listen(1, minute=106)])
    assert [offset for offset, _ in enricher.outbox.dead_letters] == [1]


def test_a_batch_over_the_limit_of_dead_letters_is_left_as_it_is() -> None:
    enricher = Enricher()
    batch = [*(_garbage(offset) for offset in range(15)), *(_listen(offset) for offset in range(15, 25))]
    for _ in range(2):
        with pytest.raises(TooManyDeadLetters, match="15 of the last 25 records of listens"):
            enricher.handle(batch)
    assert (enricher.journal, enricher.states.kept) == ([], {})
    assert enricher.sample("in_flight_events", topic="listens", partition="0") == 25
    assert enricher.sample("received_total", topic="listens", partition="0") == 25


def test_dead_letters_of_batches_before_count_towards_the_limit() -> None:
    enricher = Enricher()
    enricher.handle([_garbage(offset) for offset in range(19)])
    with pytest.raises(TooManyDeadLetters):
        enricher.handle([_garbage(19)])
    enricher.handle([_listen(offset) for offset in range(20, 39)])
    enricher.handle([_garbage(39), _listen(40)])
    assert enricher.count("listens", "dead_lettered") == 20


def test_the_newest_applied_event_has_an_age_and_a_duplicate_does_not_renew_it() -> None:
    enricher = Enricher()
    enricher.handle([_listen(0)])
    again = _listen(0)
    late = Message(topic="listens", partition=0, offset=1, key=again.key(), value=again.value(), timestamp=(1, NOW_MS))
    enricher.handle([late])
    assert enricher.count("listens", "duplicate") == 1
    assert enricher.sample("newest_applied_age_seconds", topic="listens", partition="0") == pytest.approx(0.040)
