"""Budgets over several replicas on a real Redis: never overspent, and hardly anything left over."""

import threading
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from redis.exceptions import TimeoutError as RedisTimeoutError

from devstack.stack import Part, Stack
from interlude.contacts.budget import BudgetState, allowance, terms_of
from interlude.contacts.campaign import Budget, Campaign, Pacing
from interlude.contacts.leases import (
    FAILED_SECONDS,
    IDLE_SECONDS,
    LARGEST_LEASE,
    SPENT_SECONDS,
    BudgetLeases,
    BudgetUnavailable,
    Flow,
    budget_key,
)
from interlude.contacts.script import Argument, Commands, Script
from interlude.servicekit.redis import ConnectionPerThread, connect
from tests.contract.conftest import PATIENT_MS, connections_like

_BEGIN: Final = datetime(2026, 12, 1, tzinfo=UTC)
_BEGIN_MS: Final = int(_BEGIN.timestamp() * 1000)
_LASTS_MS: Final = 24 * 60 * 60 * 1000


def _campaign(discounts: int, pacing: Pacing = Pacing.NONE) -> Campaign:
    return Campaign(
        campaign_id="a",
        starts_at=_BEGIN,
        ends_at=_BEGIN + timedelta(milliseconds=_LASTS_MS),
        budget=Budget(discounts=discounts, pacing=pacing),
    )


class _Clock:
    """Time as replicas see it, epoch ms; moved by the tests."""

    def __init__(self) -> None:
        self.now_ms = _BEGIN_MS

    def seconds(self) -> float:
        return self.now_ms / 1000

    def wait(self, seconds: float) -> None:
        self.now_ms += round(seconds * 1000)


class _Wire:
    """Between a replica and Redis: counts round trips; what it is told to lose, Redis did and nobody hears of."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands
        self.round_trips = 0
        self.lose = 0

    def call_all(self, commands: Sequence[Sequence[Argument]], timeout_seconds: float | None) -> list[Any]:
        self.round_trips += 1
        answers = self._commands.call_all(commands, timeout_seconds)
        if self.lose and not any(isinstance(answer, Exception) for answer in answers):
            self.lose -= 1
            raise RedisTimeoutError("lost")
        return answers


class _Replica:
    """One process; `flows` are the units that moved, `moved` tells that some did."""

    def __init__(self, client: "redis.Redis", clock: _Clock, holder: str = "one") -> None:
        self.wire = _Wire(connections_like(client))
        self.clock = clock
        self.flows: Counter[Flow] = Counter()
        self.moved = threading.Event()
        self.leases = BudgetLeases(
            self.wire,
            holder=holder,
            now_ms=lambda: clock.now_ms,
            timeout_seconds=PATIENT_MS / 1000,
            on_units=self._count,
            seconds=clock.seconds,
        )

    def _count(self, campaign_id: str, flow: Flow, units: int) -> None:
        assert campaign_id == "a"
        self.flows[flow] += units
        self.moved.set()

    def state(self, campaign: Campaign) -> BudgetState:
        return self.leases.state(campaign, self.clock.now_ms)

    def take(self, campaign: Campaign, units: int = 1) -> int:
        """Units got of those asked for."""
        return sum(self.leases.take(campaign, self.clock.now_ms) for _ in range(units))

    @property
    def in_hand(self) -> int:
        spent = self.flows[Flow.TAKEN] - self.flows[Flow.GIVEN_BACK]
        return self.flows[Flow.LEASED] - spent - self.flows[Flow.RETURNED]


@pytest.fixture
def clock() -> _Clock:
    return _Clock()


@pytest.fixture
def one(client: "redis.Redis", clock: _Clock) -> _Replica:
    return _Replica(client, clock)


@pytest.fixture
def two(client: "redis.Redis", clock: _Clock) -> _Replica:
    """Another process."""
    return _Replica(client, clock, "two")


@lru_cache(maxsize=1)
def _shared_client(stack: Stack) -> "redis.Redis":
    """One for all examples of a property."""
    return connect(stack.redis, timeout_ms=PATIENT_MS)


def _leased(client: "redis.Redis") -> int:
    value = client.get(budget_key(_campaign(1)))
    return int(value or 0)


def test_without_a_budget_there_is_no_limit_and_redis_is_not_asked(one: _Replica) -> None:
    campaign = Campaign(campaign_id="a")
    assert one.state(campaign) is BudgetState.OPEN
    assert one.take(campaign, 5) == 5
    one.leases.give_back(campaign)
    one.leases.refill()
    one.leases.return_all()
    assert one.wire.round_trips == 0
    assert not one.flows


def test_a_budget_is_given_to_the_last_unit_and_no_further(one: _Replica, client: "redis.Redis") -> None:
    campaign = _campaign(1000)
    assert one.state(campaign) is BudgetState.OPEN
    assert one.take(campaign, 1200) == 1000
    assert one.state(campaign) is BudgetState.SPENT
    assert _leased(client) == 1000
    assert one.wire.round_trips < 100


@pytest.mark.parametrize(
    ("discounts", "leases"), [(10_000, [100, 100]), (1600, [100, 93]), (160, [10, 9]), (16, [1, 1]), (2, [1, 1])]
)
def test_a_lease_shrinks_with_what_is_left(one: _Replica, discounts: int, leases: list[int]) -> None:
    campaign = _campaign(discounts)
    for expected in leases:
        before = one.flows[Flow.LEASED]
        one.take(campaign)
        assert one.flows[Flow.LEASED] - before == expected
        one.take(campaign, one.in_hand)


def test_a_budget_of_nothing_is_spent(one: _Replica) -> None:
    assert one.state(_campaign(0)) is BudgetState.SPENT
    assert one.take(_campaign(0)) == 0


def test_while_units_are_in_hand_redis_is_not_asked(one: _Replica) -> None:
    campaign = _campaign(1600)
    one.take(campaign)
    before = one.wire.round_trips
    assert one.take(campaign, 99) == 99
    assert one.wire.round_trips == before


def test_what_is_spent_is_not_asked_for_in_every_decision(one: _Replica, clock: _Clock) -> None:
    campaign = _campaign(0)
    one.state(campaign)
    before = one.wire.round_trips
    assert [one.state(campaign) for _ in range(5)] == [BudgetState.SPENT] * 5
    assert one.take(campaign) == 0
    assert one.wire.round_trips == before
    clock.wait(SPENT_SECONDS)
    one.state(campaign)
    assert one.wire.round_trips == before + 1


def test_the_last_units_are_shared_by_all_who_ask(one: _Replica, two: _Replica) -> None:
    campaign = _campaign(100)
    while one.take(campaign) + two.take(campaign):
        pass
    taken = one.flows[Flow.TAKEN], two.flows[Flow.TAKEN]
    assert sum(taken) == 100
    assert min(taken) > 40


def test_a_given_back_unit_is_given_again(one: _Replica) -> None:
    campaign = _campaign(3)
    assert one.take(campaign, 5) == 3
    one.leases.give_back(campaign)
    assert one.state(campaign) is BudgetState.OPEN
    assert one.take(campaign, 2) == 1
    assert one.flows == Counter({Flow.TAKEN: 4, Flow.LEASED: 3, Flow.GIVEN_BACK: 1})


def test_whoever_stops_returns_what_is_left_for_others(
    one: _Replica, two: _Replica, clock: _Clock, client: "redis.Redis"
) -> None:
    campaign = _campaign(160)
    one.take(campaign)
    assert two.take(campaign, 160) == 150
    one.leases.return_all()
    assert one.flows[Flow.RETURNED] == 9
    assert _leased(client) == 151
    assert two.state(campaign) is BudgetState.SPENT
    clock.wait(SPENT_SECONDS)
    assert two.state(campaign) is BudgetState.OPEN
    assert two.take(campaign, 20) == 9


def test_the_units_of_a_killed_replica_count_as_spent(one: _Replica, two: _Replica, clock: _Clock) -> None:
    campaign = _campaign(100_000)
    for _ in range(1000):
        one.take(campaign)
        one.leases.refill()
        assert one.in_hand <= LARGEST_LEASE * 3 // 2
    clock.wait(3600)
    rest = two.take(campaign, 101_000)
    assert rest == 100_000 - 1000 - one.in_hand
    assert two.state(campaign) is BudgetState.SPENT


def test_more_discounts_open_a_spent_budget_at_once(one: _Replica, client: "redis.Redis") -> None:
    assert one.take(_campaign(10), 20) == 10
    more = _campaign(15)
    assert one.state(more) is BudgetState.OPEN
    assert one.take(more, 20) == 5
    assert _leased(client) == 15


def test_fewer_discounts_than_are_leased_out_give_no_more(one: _Replica, two: _Replica, client: "redis.Redis") -> None:
    assert one.take(_campaign(20), 12) == 12
    fewer = _campaign(5)
    assert two.state(fewer) is BudgetState.SPENT
    assert _leased(client) == 12
    one.leases.return_all()
    assert one.take(_campaign(13), 5) == 1


def test_an_even_pace_never_gives_more_than_the_time_gone_by_allows(
    one: _Replica, two: _Replica, clock: _Clock
) -> None:
    campaign = _campaign(997, Pacing.EVEN)
    terms = terms_of(campaign)
    assert terms is not None
    clock.now_ms = _BEGIN_MS - 1
    assert one.state(campaign) is BudgetState.PACED
    clock.wait(SPENT_SECONDS)
    given = 0
    for step in range(240):
        clock.now_ms = _BEGIN_MS + 1 + step * _LASTS_MS // 239
        given += one.take(campaign, 3) + two.take(campaign, 3)
        assert given == allowance(terms, clock.now_ms)
    assert given == 997
    clock.wait(SPENT_SECONDS)
    assert one.state(campaign) is BudgetState.SPENT


def test_a_paced_budget_is_asked_for_again_when_the_next_unit_is_due(one: _Replica, clock: _Clock) -> None:
    campaign = _campaign(_LASTS_MS // 200, Pacing.EVEN)
    assert one.take(campaign, 2) == 1
    assert one.state(campaign) is BudgetState.PACED
    before = one.wire.round_trips
    clock.now_ms += 199
    assert one.state(campaign) is BudgetState.PACED
    assert one.wire.round_trips == before
    clock.now_ms += 1
    assert one.state(campaign) is BudgetState.OPEN
    assert one.take(campaign, 2) == 1


def test_refilling_fetches_ahead_only_for_campaigns_that_give(one: _Replica) -> None:
    campaign = _campaign(10_000)
    one.state(campaign)
    before = one.wire.round_trips
    one.leases.refill()
    assert one.wire.round_trips == before
    one.take(campaign, 49)
    one.leases.refill()
    assert one.in_hand == 51
    one.take(campaign)
    one.leases.refill()
    assert one.in_hand == 150
    before = one.wire.round_trips
    one.take(campaign, 150)
    assert one.wire.round_trips == before


def test_refilling_returns_what_nobody_takes(one: _Replica, two: _Replica, clock: _Clock) -> None:
    campaign = _campaign(160)
    one.take(campaign)
    one.leases.refill()
    clock.wait(IDLE_SECONDS)
    one.take(campaign)
    one.leases.refill()
    clock.wait(IDLE_SECONDS - 0.001)
    one.leases.refill()
    assert one.in_hand == 8
    clock.wait(0.001)
    one.leases.refill()
    assert one.in_hand == 0
    assert two.take(campaign, 200) == 158


def test_run_until_refills_until_it_is_stopped(client: "redis.Redis", clock: _Clock) -> None:
    replica = _Replica(client, clock)
    replica.take(_campaign(1600), 60)
    stop, refilled = threading.Event(), threading.Event()
    replica.moved = refilled
    thread = threading.Thread(target=replica.leases.run_until, args=(stop, 0.001))
    thread.start()
    assert refilled.wait(10)
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
    assert replica.in_hand == 40 + 93


def test_a_lease_whose_answer_was_lost_is_not_taken_twice(one: _Replica, clock: _Clock, client: "redis.Redis") -> None:
    campaign = _campaign(160)
    one.wire.lose = 2
    assert one.take(campaign) == 0
    clock.wait(FAILED_SECONDS)
    assert one.take(campaign) == 0
    clock.wait(FAILED_SECONDS)
    assert one.take(campaign, 10) == 10
    assert _leased(client) == 10


def test_a_return_whose_answer_was_lost_is_not_made_twice(one: _Replica, clock: _Clock, client: "redis.Redis") -> None:
    campaign = _campaign(160)
    one.take(campaign, 4)
    one.wire.lose = 1
    one.leases.return_all()
    one.leases.return_all()
    assert _leased(client) == 4
    assert one.flows[Flow.RETURNED] == 0
    clock.wait(1)
    assert one.take(campaign, 200) == 156


def test_a_request_that_was_overtaken_changes_nothing(one: _Replica, client: "redis.Redis") -> None:
    campaign = _campaign(160)
    one.take(campaign, 11)
    key = budget_key(campaign)
    late = Script("lease.lua").command([key, f"{key}:one"], [1, 50, 0, 16, 100, 1000])
    assert connections_like(client).call(*late) == [0, 19]
    assert _leased(client) == 19


def test_a_redis_that_forgot_the_script_is_told_again(one: _Replica, client: "redis.Redis") -> None:
    campaign = _campaign(16)
    one.take(campaign)
    client.script_flush()
    assert one.take(campaign, 20) == 15


def test_a_damaged_count_grants_nothing(one: _Replica, client: "redis.Redis") -> None:
    campaign = _campaign(16)
    client.set(budget_key(campaign), "many")
    assert one.take(campaign) == 0
    assert one.state(campaign) is BudgetState.PACED
    with pytest.raises(BudgetUnavailable, match="a"):
        one.leases.claim(campaign, one.clock.now_ms)
    assert client.get(budget_key(campaign)) == b"many"


def test_the_count_is_kept_for_ever_and_what_was_asked_for_an_hour(one: _Replica, client: "redis.Redis") -> None:
    one.take(_campaign(16))
    key = budget_key(_campaign(16))
    assert client.pttl(key) == -1
    assert 3_500_000 < client.pttl(f"{key}:one") <= 3_600_000


def test_without_redis_units_in_hand_are_given_and_then_none(
    redis_stack: Stack, client: "redis.Redis", clock: _Clock
) -> None:
    campaign = _campaign(32)
    flows: Counter[Flow] = Counter()
    leases = BudgetLeases(
        ConnectionPerThread(redis_stack.redis, timeout_ms=PATIENT_MS),
        holder="impatient",
        now_ms=lambda: clock.now_ms,
        timeout_seconds=0.05,
        on_units=lambda _campaign_id, flow, units: flows.update({flow: units}),
        seconds=clock.seconds,
    )
    assert leases.claim(campaign, clock.now_ms)
    redis_stack.pause(Part.REDIS)
    try:
        assert leases.claim(campaign, clock.now_ms)
        assert leases.state(campaign, clock.now_ms) is BudgetState.PACED
        assert not leases.take(campaign, clock.now_ms)
        with pytest.raises(BudgetUnavailable):
            leases.claim(campaign, clock.now_ms)
    finally:
        redis_stack.resume(Part.REDIS)
    assert not leases.take(campaign, clock.now_ms), "left alone for a moment"
    clock.wait(FAILED_SECONDS)
    assert sum(leases.claim(campaign, clock.now_ms) for _ in range(40)) == 30
    assert _leased(client) == 32
    assert flows == Counter({Flow.TAKEN: 32, Flow.LEASED: 32})


def test_whoever_finds_units_in_hand_does_not_wait_for_those_who_ask(client: "redis.Redis", clock: _Clock) -> None:
    replica = _Replica(client, clock)
    campaign = _campaign(1600)
    replica.take(campaign, 60)
    asked, answer = threading.Event(), threading.Event()
    call_all = replica.wire.call_all

    def slow(commands: Sequence[Sequence[Argument]], timeout_seconds: float | None) -> list[Any]:
        asked.set()
        answer.wait(10)
        return call_all(commands, timeout_seconds)

    replica.wire.call_all = slow  # type: ignore[method-assign]
    refilling = threading.Thread(target=replica.leases.refill)
    refilling.start()
    assert asked.wait(10)
    assert replica.take(campaign, 39) == 39
    assert replica.state(campaign) is BudgetState.OPEN
    answer.set()
    refilling.join(10)
    assert replica.in_hand == 1 + 93


class _Crowd:
    """Replicas that take, return, lose answers and die, and what they gave away; the dead ones' gifts stay given."""

    def __init__(self, client: "redis.Redis") -> None:
        self._client = client
        self.clock = _Clock()
        self.replicas = [_Replica(client, self.clock, f"first {place}") for place in range(3)]
        self.given = 0
        self._number = 0

    def act(self, place: int, action: str, campaign: Campaign, amount: int) -> None:
        replica = self.replicas[place]
        if action == "take":
            self.given += replica.take(campaign, amount)
        elif action == "give back" and replica.flows[Flow.TAKEN] > replica.flows[Flow.GIVEN_BACK]:
            replica.leases.give_back(campaign)
            self.given -= 1
        elif action == "lose an answer":
            replica.wire.lose = 1
        elif action == "refill":
            replica.leases.refill()
        elif action == "stop":
            replica.leases.return_all()
        elif action == "die":
            self._number += 1
            self.replicas[place] = _Replica(self._client, self.clock, f"next {self._number}")
        elif action == "wait":
            self.clock.wait(amount * 600)


_ACTIONS: Final = st.tuples(
    st.integers(0, 2),
    st.sampled_from(["take", "take", "take", "give back", "lose an answer", "refill", "stop", "die", "wait", "wait"]),
    st.integers(1, 60),
)


@given(st.sampled_from(Pacing), st.sampled_from((3, 100, 2500)), st.lists(_ACTIONS, min_size=10, max_size=60))
def test_whatever_happens_nothing_is_overspent(
    redis_stack: Stack, pacing: Pacing, discounts: int, actions: list[tuple[int, str, int]]
) -> None:
    client = _shared_client(redis_stack)
    client.flushall()
    campaign = _campaign(discounts, pacing)
    terms = terms_of(campaign)
    assert terms is not None
    crowd = _Crowd(client)
    for place, action, amount in actions:
        crowd.act(place, action, campaign, amount)
        assert crowd.given <= _leased(client) <= allowance(terms, crowd.clock.now_ms)
    for place in range(3):
        crowd.act(place, "take", campaign, discounts + 1)
    assert crowd.given <= _leased(client) <= allowance(terms, crowd.clock.now_ms)


@pytest.mark.parametrize("pacing", Pacing)
def test_ten_thousand_decisions_at_once_on_two_replicas_spend_a_thousand(
    redis_stack: Stack, client: "redis.Redis", pacing: Pacing
) -> None:
    campaign = _campaign(1000 if pacing is Pacing.NONE else 2000, pacing)
    now_ms = _BEGIN_MS + _LASTS_MS // 2 - 1
    replicas = [
        BudgetLeases(
            ConnectionPerThread(redis_stack.redis, timeout_ms=PATIENT_MS),
            holder=holder,
            now_ms=lambda: now_ms,
            timeout_seconds=PATIENT_MS / 1000,
        )
        for holder in ("one", "two")
    ]
    start = threading.Barrier(20)
    taken: list[int] = []

    def call(leases: BudgetLeases) -> None:
        start.wait()
        taken.append(sum(leases.take(campaign, now_ms) for _ in range(500)))

    threads = [threading.Thread(target=call, args=(replicas[number % 2],)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(taken) == 1000
    assert _leased(client) == 1000


def test_refusals_and_returns_among_many_threads_lose_no_unit(redis_stack: Stack, client: "redis.Redis") -> None:
    campaign = _campaign(500)
    start = threading.Barrier(8)
    kept: list[int] = []
    replicas = [
        BudgetLeases(
            ConnectionPerThread(redis_stack.redis, timeout_ms=PATIENT_MS),
            holder=holder,
            now_ms=lambda: _BEGIN_MS,
            timeout_seconds=PATIENT_MS / 1000,
        )
        for holder in ("one", "two")
    ]

    def call(number: int) -> None:
        leases = replicas[number % 2]
        start.wait()
        mine = 0
        for turn in range(200):
            if leases.take(campaign, _BEGIN_MS):
                mine += 1
                if turn % 3 == 0:
                    leases.give_back(campaign)
                    mine -= 1
            if turn % 50 == number:
                leases.refill()
        kept.append(mine)

    threads = [threading.Thread(target=call, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(kept) <= 500
    for leases in replicas:
        leases.return_all()
    assert _leased(client) == sum(kept)
