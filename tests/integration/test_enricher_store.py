"""States in a real Redis: written together, each only while it is what was read."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

import pytest
import redis

from devstack.stack import Part, Stack
from interlude.features.codec import CorruptValue, encode_hot, encode_state
from interlude.features.fold import advance, fold
from interlude.features.state import Erasure, Listen, ListenerState, Stream
from interlude.servicekit.errors import Unavailable
from interlude.servicekit.redis import ConnectionPerThread, connect
from services.enricher.store import Change, StateStore
from tests.integration.enricher_scene import empty, redis_url

DATABASE = 41
MANY = range(600)
NOTHING = ListenerState()


@pytest.fixture
def client(stack: Stack) -> Iterator["redis.Redis"]:
    """An empty database."""
    empty(stack, DATABASE)
    with connect(redis_url(stack, DATABASE), timeout_ms=500, single_connection=True) as connected:
        yield connected


@pytest.fixture
def states(stack: Stack, client: "redis.Redis") -> ConnectionPerThread:  # noqa: ARG001 (it empties the database)
    """What a store is given, to the same database."""
    return ConnectionPerThread(redis_url(stack, DATABASE), timeout_ms=500)


class Broken(Exception):
    """What the fence of these tests raises."""


@dataclass
class Fence:
    """States of `number`, written while `key` holds `value`."""

    number: int = 0
    key: str = "fence"
    value: bytes = b""

    def broken(self) -> NoReturn:
        """Says that it was."""
        raise Broken


FENCE = Fence()


def _after(state: ListenerState, offset: int) -> ListenerState:
    listen = Listen(1_700_000_000_000 + offset, offset, 7, True, 0)
    return advance(fold(state, listen).state, Stream.LISTENS, offset)


ONE = _after(NOTHING, 0)
TWO = _after(ONE, 1)
OTHER = _after(NOTHING, 5)


def test_what_is_written_is_read_and_lies_under_both_keys(client: "redis.Redis", states: ConnectionPerThread) -> None:
    store = StateStore(states, FENCE)
    assert store.write({1: Change(NOTHING, ONE)}) == []
    assert store.read([1, 2]) == {1: ONE, 2: NOTHING}
    assert client.mget("s:{1}", "f:{1}") == [encode_state(ONE), encode_hot(ONE)]
    assert client.dbsize() == 2


def test_more_customers_than_one_call_takes_are_all_written(states: ConnectionPerThread) -> None:
    store = StateStore(states, FENCE)
    assert store.write({customer_id: Change(NOTHING, ONE) for customer_id in MANY}) == []
    assert store.read(list(MANY)) == dict.fromkeys(MANY, ONE)


def test_a_state_that_somebody_wrote_meanwhile_is_left_as_it_is(
    client: "redis.Redis", states: ConnectionPerThread
) -> None:
    store = StateStore(states, FENCE)
    theirs = [3, 251, 599]
    store.write({customer_id: Change(NOTHING, OTHER) for customer_id in theirs})
    assert store.write({customer_id: Change(NOTHING, ONE) for customer_id in MANY}) == theirs
    assert store.read([3, 4]) == {3: OTHER, 4: ONE}
    assert client.get("f:{3}") == encode_hot(OTHER)


def test_a_state_that_vanished_meanwhile_is_not_written(client: "redis.Redis", states: ConnectionPerThread) -> None:
    store = StateStore(states, FENCE)
    store.write({1: Change(NOTHING, ONE)})
    client.flushdb()
    assert store.write({1: Change(ONE, TWO)}) == [1]
    assert client.dbsize() == 0


def test_an_old_writer_cannot_go_back(states: ConnectionPerThread) -> None:
    store = StateStore(states, FENCE)
    store.write({1: Change(NOTHING, ONE)})
    store.write({1: Change(ONE, TWO)})
    assert store.write({1: Change(NOTHING, ONE)}) == [1]
    assert store.write({1: Change(ONE, TWO)}) == [1]
    assert store.read([1]) == {1: TWO}


def test_a_script_that_redis_forgot_is_loaded_again(client: "redis.Redis", states: ConnectionPerThread) -> None:
    store = StateStore(states, FENCE)
    store.write({1: Change(NOTHING, ONE)})
    client.script_flush()
    assert store.write({1: Change(ONE, TWO)}) == []
    assert store.read([1]) == {1: TWO}


def test_a_value_that_is_not_ours_is_refused(client: "redis.Redis", states: ConnectionPerThread) -> None:
    client.set("s:{1}", b"\x63not ours")
    with pytest.raises(CorruptValue):
        StateStore(states, FENCE).read([1])


def test_a_redis_that_stands_still_is_unavailable_and_loses_no_step(stack: Stack, states: ConnectionPerThread) -> None:
    store = StateStore(states, FENCE)
    store.write({1: Change(NOTHING, ONE)})
    stack.pause(Part.REDIS)
    try:
        with pytest.raises(Unavailable, match="TimeoutError"):
            store.read([1])
        with pytest.raises(Unavailable, match="TimeoutError"):
            store.write({1: Change(ONE, TWO)})
    finally:
        stack.resume(Part.REDIS)
    # The write that was given up may have been carried out late or not: either way its repetition ends in the same state.
    store.write({1: Change(ONE, TWO)})
    assert store.read([1]) == {1: TWO}


def test_nothing_is_written_behind_a_broken_fence(client: "redis.Redis", states: ConnectionPerThread) -> None:
    client.set("fence", b"theirs")
    for value in (b"", b"ours", b"their"):
        with pytest.raises(Broken):
            StateStore(states, Fence(value=value)).write({1: Change(NOTHING, ONE)})
    assert client.keys() == [b"fence"]
    assert StateStore(states, Fence(value=b"theirs")).write({1: Change(NOTHING, ONE)}) == []


def test_a_fence_that_must_hold_something_is_broken_where_there_is_nothing(
    client: "redis.Redis", states: ConnectionPerThread
) -> None:
    with pytest.raises(Broken):
        StateStore(states, Fence(value=b"ours")).write({1: Change(NOTHING, ONE)})
    assert client.dbsize() == 0


def test_generations_lie_beside_one_another(client: "redis.Redis", states: ConnectionPerThread) -> None:
    StateStore(states, FENCE).write({1: Change(NOTHING, ONE)})
    later = StateStore(states, Fence(number=7))
    assert later.read([1]) == {1: NOTHING}
    assert later.write({1: Change(NOTHING, TWO)}) == []
    assert (StateStore(states, FENCE).read([1]), later.read([1])) == ({1: ONE}, {1: TWO})
    assert sorted(client.scan_iter()) == [b"f7:{1}", b"f:{1}", b"s7:{1}", b"s:{1}"]


def test_of_an_erased_customer_the_state_alone_is_kept_until_something_happens_again(
    client: "redis.Redis", states: ConnectionPerThread
) -> None:
    store = StateStore(states, FENCE)
    erased = fold(ONE, Erasure(1_800_000_000_000)).state
    store.write({1: Change(NOTHING, ONE)})
    store.write({1: Change(ONE, advance(erased, Stream.CUSTOMERS, 0))})
    assert client.keys() == [b"s:{1}"]
    before = store.read([1])[1]
    again = fold(before, Listen(1_800_000_000_001, 1, 7, True, 0)).state
    assert store.write({1: Change(before, advance(again, Stream.LISTENS, 9))}) == []
    assert client.get("f:{1}") == encode_hot(again)
