"""What every reader of listeners does; run on the fake and on Redis. Then what only a Redis can do wrong."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import pytest
import redis

from devstack.stack import Stack
from interlude.contacts.campaign import Campaign
from interlude.contacts.caps import Channel
from interlude.contacts.ledger import (
    ContactLedger,
    LedgerUnavailable,
    ReservationRequest,
    contacts_key,
    decode_contacts,
)
from interlude.features.codec import decode_hot, hot_key
from interlude.features.generation import GENERATION_KEY, Generation, encode_generation
from interlude.servicekit.circuit_breaker import CircuitBreaker
from interlude.servicekit.redis import ConnectionPerThread
from interlude.servicekit.round_trips import Argument
from services.decision.listeners import Listener, ListenersUnavailable, RedisListeners
from tests.contract.conftest import PATIENT_MS, connections_like, paused
from tests.contract.fakes import FakeLedger, FakeListeners
from tests.listeners import hot_features

_CAMPAIGN = Campaign(campaign_id="a")
_IMPATIENT_MS = 150
_NOW_MS = 1_700_000_000_000


class _Listeners(Protocol):
    def read(self, customer_ids: Sequence[int], timeout_seconds: float) -> list[Listener]: ...


class _Ledger(Protocol):
    def reserve(self, requests: Sequence[ReservationRequest]) -> object: ...


class _Tested:
    """Listeners, the ledger whose contacts they read, and the way to write features."""

    def __init__(self, listeners: _Listeners, ledger: _Ledger, put: Callable[[int, bytes], object]) -> None:
        self.listeners = listeners
        self.ledger = ledger
        self.put = put


@pytest.fixture(params=["fake", "redis"])
def tested(request: pytest.FixtureRequest) -> _Tested:
    """No listeners yet."""
    if request.param == "fake":
        ledger = FakeLedger()
        fake = FakeListeners(contacts=ledger.contacts)
        return _Tested(fake, ledger, fake.features.__setitem__)
    client: redis.Redis = request.getfixturevalue("client")
    url = request.getfixturevalue("redis_stack").redis
    listeners = RedisListeners(ConnectionPerThread(url, timeout_ms=PATIENT_MS), lambda: None)
    return _Tested(
        listeners,
        ContactLedger(connections_like(client)),
        lambda customer_id, value: client.set(hot_key(customer_id), value),
    )


def test_an_unknown_customer_has_neither_features_nor_contacts(tested: _Tested) -> None:
    assert tested.listeners.read([1], 1.0) == [Listener(None, b"", b"")]


def test_listeners_come_in_the_order_asked_for_however_often(tested: _Tested) -> None:
    values = {
        customer_id: hot_features(newest_listen_ms=_NOW_MS + customer_id % 9) for customer_id in (3, 1, 2**63 - 1)
    }
    for customer_id, value in values.items():
        tested.put(customer_id, value)
    asked = [2**63 - 1, 8, 1, 3, 1]
    features = [listener.features for listener in tested.listeners.read(asked, 1.0)]
    assert features == [decode_hot(values[customer_id]) if customer_id in values else None for customer_id in asked]


def test_contacts_are_those_of_the_ledger_with_and_without_features(tested: _Tested) -> None:
    tested.put(1, hot_features())
    for customer_id in (1, 2):
        tested.ledger.reserve([ReservationRequest(customer_id, 40 + customer_id, _CAMPAIGN, Channel.SMS, _NOW_MS, ())])
    known, unknown = tested.listeners.read([1, 2], 1.0)
    assert (known.features is None, unknown.features is None) == (False, True)
    contacts = [decode_contacts(listener.contacts)[0] for listener in (known, unknown)]
    assert [contact.request_hash for contact in contacts] == [41, 42]


def test_features_that_do_not_decode_make_an_unknown_customer(tested: _Tested) -> None:
    tested.put(1, b"garbage")
    tested.put(2, hot_features())
    first, second = tested.listeners.read([1, 2], 1.0)
    assert (first.features is None, second.features is None) == (True, False)


def test_a_fake_that_does_not_answer_is_unavailable() -> None:
    with pytest.raises(ListenersUnavailable):
        FakeListeners(available=False).read([1], 1.0)


def test_every_value_that_does_not_decode_is_counted(redis_stack: Stack, client: "redis.Redis") -> None:
    client.set(hot_key(1), hot_features()[:-1])
    client.set(contacts_key(1), b"not rows")
    client.set(hot_key(2), hot_features())
    corrupt: list[int] = []
    listeners = RedisListeners(
        ConnectionPerThread(redis_stack.redis, timeout_ms=PATIENT_MS), lambda: corrupt.append(1)
    ).read([1, 2], 1.0)
    assert listeners[0] == Listener(None, hot_features()[:-1], b"not rows")
    assert listeners[1].features is not None
    assert len(corrupt) == 2


def test_once_redis_has_failed_nobody_waits_for_it(redis_stack: Stack) -> None:
    """Whoever finds out: here the reservation, after features that could still be read."""
    connections = ConnectionPerThread(redis_stack.redis, timeout_ms=_IMPATIENT_MS, breaker=CircuitBreaker(60))
    listeners, ledger = RedisListeners(connections, lambda: None), ContactLedger(connections)
    assert len(listeners.read([1, 2], 1.0)) == 2
    with paused(redis_stack), pytest.raises(LedgerUnavailable):
        ledger.reserve([ReservationRequest(1, 40, _CAMPAIGN, Channel.PLAYER, _NOW_MS, ())])
    with pytest.raises(ListenersUnavailable, match="a moment ago"):
        listeners.read([1], 1.0)


def test_a_caller_who_gives_up_early_does_not_speak_for_the_others(redis_stack: Stack) -> None:
    connections = ConnectionPerThread(redis_stack.redis, timeout_ms=_IMPATIENT_MS, breaker=CircuitBreaker(60))
    listeners = RedisListeners(connections, lambda: None)
    listeners.read([1], 1.0)
    with paused(redis_stack), pytest.raises(ListenersUnavailable, match="no answer"):
        listeners.read([1], 0.001)
    assert len(listeners.read([1], 1.0)) == 1


class _Counted(ConnectionPerThread):
    """Counts the commands."""

    commands = 0

    def call(self, *command: Argument, timeout_seconds: float | None = None) -> Any:
        self.commands += 1
        return super().call(*command, timeout_seconds=timeout_seconds)


def test_features_are_those_of_the_generation_in_use_and_only_a_change_costs_a_second_read(
    redis_stack: Stack, client: "redis.Redis"
) -> None:
    first, second = hot_features(newest_listen_ms=_NOW_MS), hot_features(newest_listen_ms=_NOW_MS + 1)
    client.mset({hot_key(1): first, hot_key(1, 2): second})
    connections, corrupt = _Counted(redis_stack.redis, timeout_ms=PATIENT_MS), [0]
    listeners = RedisListeners(connections, lambda: corrupt.append(1))

    def read() -> tuple[bytes, int]:
        before = connections.commands
        [listener] = listeners.read([1], 1.0)
        return listener.value, connections.commands - before

    assert read() == (first, 1)
    client.set(GENERATION_KEY, encode_generation(Generation(0, "schema", 1)))
    assert read() == (first, 1)
    client.set(GENERATION_KEY, encode_generation(Generation(2, "schema", 2)))
    assert [read(), read()] == [(second, 2), (second, 1)]
    client.delete(hot_key(1))
    client.set(GENERATION_KEY, b"not ours")
    assert [read(), read(), corrupt] == [(second, 1), (second, 1), [0, 1]]
    client.delete(GENERATION_KEY)
    assert [read(), read()] == [(b"", 2), (b"", 1)]
