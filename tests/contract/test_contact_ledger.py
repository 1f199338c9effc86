"""What every contact ledger does; run on the fake and on Redis."""

import random
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

import pytest
import redis

from devstack.stack import Part, Stack
from interlude.contacts.campaign import Campaign
from interlude.contacts.caps import DAY_MS, MINUTE_MS, Channel, Contact, cap_use
from interlude.contacts.ledger import (
    CONTACTS_KEPT,
    KEPT_MS,
    ONCE_KEPT_MS,
    ContactLedger,
    LedgerUnavailable,
    Reservation,
    ReservationRequest,
    contacts_key,
    decode_contacts,
    once_key,
)
from interlude.features.codec import HotFeatures, ProfileFlag
from interlude.features.state import Level
from interlude.servicekit.redis import ConnectionPerThread, connect
from services.decision.policy import Facts, Reason, decide
from tests.contract.conftest import PATIENT_MS, connections_like
from tests.contract.fakes import FakeLedger

_NOW_MS = 1_700_000_000_000
_CAMPAIGN = Campaign(campaign_id="a", contacts_per_day=3, minimum_gap_minutes=20)
_GAPLESS = Campaign(campaign_id="b", contacts_per_day=3, minimum_gap_minutes=0)
_UNCAPPED = Campaign(campaign_id="c", contacts_per_day=64, minimum_gap_minutes=0)
_GAP_MS = 20 * MINUTE_MS
_IMPATIENT_MS = 200


class _Ledger(Protocol):
    def reserve(self, requests: Sequence[ReservationRequest]) -> list[Reservation]: ...


class _Tested:
    """A ledger and the way to look into it."""

    def __init__(self, ledger: _Ledger, contacts: Callable[[int], tuple[Contact, ...]]) -> None:
        self.ledger = ledger
        self.contacts = contacts
        self._number = 0

    def reserve(
        self,
        at_ms: int = _NOW_MS,
        *,
        request_hash: int | None = None,
        campaign: Campaign = _CAMPAIGN,
        channel: Channel = Channel.PLAYER,
        once: bool = False,
        customer_id: int = 1,
    ) -> Reservation:
        self._number += 1
        request = ReservationRequest(
            customer_id, self._number if request_hash is None else request_hash, campaign, channel, at_ms, once
        )
        return self.ledger.reserve([request])[0]


@pytest.fixture(params=["fake", "redis"])
def tested(request: pytest.FixtureRequest) -> _Tested:
    """An empty ledger."""
    if request.param == "fake":
        fake = FakeLedger()
        return _Tested(fake, lambda customer_id: fake.contacts.get(customer_id, ()))
    return _on_redis(request.getfixturevalue("client"))


def _on_redis(client: "redis.Redis") -> _Tested:
    return _Tested(ContactLedger(connections_like(client)), lambda customer_id: _contacts(client, customer_id))


def _contacts(client: "redis.Redis", customer_id: int) -> tuple[Contact, ...]:
    value = client.get(contacts_key(customer_id))
    assert not isinstance(value, str)
    return decode_contacts(value)


def _keys(client: "redis.Redis") -> list[str]:
    return [key if isinstance(key, str) else key.decode() for key in client.scan_iter()]


def test_the_first_contact_is_reserved_and_kept_as_it_was_asked_for(tested: _Tested) -> None:
    assert tested.reserve(request_hash=2**64 - 1, channel=Channel.SMS) is Reservation.RESERVED
    assert tested.contacts(1) == (Contact(_NOW_MS, 2**64 - 1, _CAMPAIGN.campaign_hash, Channel.SMS),)


@pytest.mark.parametrize(
    ("age_ms", "result"), [(_GAP_MS - 1, Reservation.MINIMUM_GAP), (_GAP_MS, Reservation.RESERVED)]
)
def test_the_minimum_gap_ends_exactly_when_it_is_over(tested: _Tested, age_ms: int, result: Reservation) -> None:
    tested.reserve(_NOW_MS - age_ms)
    assert tested.reserve() is result


@pytest.mark.parametrize(
    ("oldest_age_ms", "result"), [(DAY_MS - 1, Reservation.FREQUENCY_CAP), (DAY_MS, Reservation.RESERVED)]
)
def test_a_contact_counts_until_it_is_exactly_a_day_old(
    tested: _Tested, oldest_age_ms: int, result: Reservation
) -> None:
    for age_ms in (oldest_age_ms, 2 * _GAP_MS, _GAP_MS):
        assert tested.reserve(_NOW_MS - age_ms) is Reservation.RESERVED
    assert tested.reserve() is result


def test_the_cap_is_named_before_the_gap(tested: _Tested) -> None:
    for _ in range(3):
        tested.reserve(campaign=_GAPLESS)
    assert tested.reserve() is Reservation.FREQUENCY_CAP


def test_a_cap_of_zero_reserves_nothing(tested: _Tested) -> None:
    assert tested.reserve(campaign=Campaign(campaign_id="z", contacts_per_day=0)) is Reservation.FREQUENCY_CAP
    assert tested.contacts(1) == ()


def test_both_channels_and_all_campaigns_share_the_caps(tested: _Tested) -> None:
    tested.reserve(channel=Channel.SMS, campaign=_GAPLESS)
    assert tested.reserve(channel=Channel.PLAYER) is Reservation.MINIMUM_GAP


def test_customers_do_not_share_them(tested: _Tested) -> None:
    assert [tested.reserve(customer_id=customer_id) for customer_id in (1, 2)] == [Reservation.RESERVED] * 2


def test_the_same_request_again_is_repeated_and_adds_nothing(tested: _Tested) -> None:
    results = [tested.reserve(_NOW_MS + wait_ms, request_hash=9) for wait_ms in (0, 5, DAY_MS)]
    assert results == [Reservation.RESERVED, Reservation.REPEATED, Reservation.REPEATED]
    assert len(tested.contacts(1)) == 1


def test_a_repeated_request_is_recognised_behind_a_full_cap(tested: _Tested) -> None:
    for request_hash in (7, 8, 9):
        tested.reserve(request_hash=request_hash, campaign=_GAPLESS)
    assert tested.reserve(request_hash=7, campaign=_GAPLESS) is Reservation.REPEATED
    assert tested.reserve(request_hash=6, campaign=_GAPLESS) is Reservation.FREQUENCY_CAP


def test_a_batch_is_reserved_in_order(tested: _Tested) -> None:
    requests = [
        ReservationRequest(customer_id, number, _CAMPAIGN, Channel.PLAYER, _NOW_MS)
        for number, customer_id in enumerate((1, 2, 1, 2, 3))
    ]
    results = [result.name for result in tested.ledger.reserve(requests)]
    assert results == ["RESERVED", "RESERVED", "MINIMUM_GAP", "MINIMUM_GAP", "RESERVED"]
    assert tested.ledger.reserve([]) == []


def test_a_contact_from_a_clock_that_runs_ahead_blocks_no_campaign_without_a_gap(tested: _Tested) -> None:
    tested.reserve(_NOW_MS + 50, campaign=_GAPLESS)
    assert tested.reserve(campaign=_GAPLESS) is Reservation.RESERVED
    assert tested.reserve() is Reservation.MINIMUM_GAP


def test_once_means_once_for_a_campaign_and_channel(tested: _Tested) -> None:
    def text(campaign: Campaign, request_hash: int, days: int) -> Reservation:
        at_ms = _NOW_MS + days * DAY_MS
        return tested.reserve(at_ms, request_hash=request_hash, campaign=campaign, channel=Channel.SMS, once=True)

    assert text(_GAPLESS, 1, 0) is Reservation.RESERVED
    assert text(_GAPLESS, 2, 2) is Reservation.ALREADY_CONTACTED
    assert text(_GAPLESS, 1, 2) is Reservation.REPEATED
    assert text(_UNCAPPED, 3, 2) is Reservation.RESERVED
    assert tested.reserve(_NOW_MS + 2 * DAY_MS, campaign=_GAPLESS, once=True) is Reservation.RESERVED


def test_once_is_not_used_up_by_a_refusal(tested: _Tested) -> None:
    tested.reserve()
    assert tested.reserve(request_hash=50, once=True) is Reservation.MINIMUM_GAP
    assert tested.reserve(_NOW_MS + _GAP_MS, request_hash=51, once=True) is Reservation.RESERVED


def test_the_newest_rows_are_kept(tested: _Tested) -> None:
    count = CONTACTS_KEPT + 6
    for number in range(count):
        result = tested.reserve(_NOW_MS + number * DAY_MS // 64, request_hash=number, campaign=_UNCAPPED)
        assert result is Reservation.RESERVED
    kept = [contact.request_hash for contact in tested.contacts(1)]
    assert kept == list(range(count - CONTACTS_KEPT, count))


def test_rows_older_than_anything_a_cap_looks_at_go(tested: _Tested) -> None:
    tested.reserve(request_hash=1)
    tested.reserve(_NOW_MS + KEPT_MS - 1, request_hash=2)
    tested.reserve(_NOW_MS + KEPT_MS + DAY_MS, request_hash=3)
    assert [contact.request_hash for contact in tested.contacts(1)] == [2, 3]


def test_any_history_is_refused_exactly_where_the_policy_refuses_it(tested: _Tested) -> None:
    source = random.Random(20141001)
    everything = ProfileFlag.KNOWN | ProfileFlag.ACTIVE | ProfileFlag.CONSENT_PLAYER_OFFERS
    listener = HotFeatures(Level.FREE, everything, None, bytes(24))
    at_ms, seen = _NOW_MS, set()
    for _ in range(300):
        at_ms += source.choice((-10, 0, 1, MINUTE_MS, _GAP_MS - 1, _GAP_MS, DAY_MS // 4))
        campaign = source.choice((_CAMPAIGN, _GAPLESS))
        judged = decide(Facts(campaign, listener=listener, cap_use=cap_use(tested.contacts(1), at_ms), score=1.0))
        result = tested.reserve(at_ms, campaign=campaign)
        assert result.name == ("RESERVED" if judged is Reason.SHOW else judged.name)
        seen.add(result)
    assert seen == {Reservation.RESERVED, Reservation.FREQUENCY_CAP, Reservation.MINIMUM_GAP}


def test_contacts_and_once_markers_expire(client: "redis.Redis") -> None:
    _on_redis(client).reserve(once=True)
    spans = {
        contacts_key(1): KEPT_MS,
        once_key(1, _CAMPAIGN, Channel.PLAYER): ONCE_KEPT_MS,
    }
    assert set(_keys(client)) == set(spans)
    for key, span_ms in spans.items():
        assert span_ms - MINUTE_MS < client.pttl(key) <= span_ms


@pytest.mark.parametrize("forget", ["script_flush", "flushall"])
def test_a_redis_that_forgot_the_script_is_told_again(client: "redis.Redis", forget: str) -> None:
    tested = _on_redis(client)
    tested.reserve()
    getattr(client, forget)()
    client.script_flush()
    requests = [ReservationRequest(number, 99, _CAMPAIGN, Channel.PLAYER, _NOW_MS) for number in (7, 8)]
    assert tested.ledger.reserve(requests) == [Reservation.RESERVED] * 2
    assert len(tested.contacts(7)) == 1


@pytest.mark.parametrize("value", [b"x" * 24, b"x" * 26])
def test_a_damaged_ledger_reserves_nothing(client: "redis.Redis", value: bytes) -> None:
    client.set(contacts_key(1), value)
    with pytest.raises(LedgerUnavailable, match="ResponseError"):
        _on_redis(client).reserve()
    assert client.get(contacts_key(1)) == value


def test_a_redis_that_does_not_answer_is_unavailable_and_asking_again_settles_it(redis_stack: Stack) -> None:
    with connect(redis_stack.redis, timeout_ms=_IMPATIENT_MS) as impatient:
        impatient.flushall()
        tested = _on_redis(impatient)
        tested.reserve(customer_id=2)
        redis_stack.pause(Part.REDIS)
        try:
            with pytest.raises(LedgerUnavailable, match="TimeoutError"):
                tested.reserve(request_hash=5)
        finally:
            redis_stack.resume(Part.REDIS)
        # Whether Redis took it before we gave up is not known; the same request again reserves one contact, not two.
        assert tested.reserve(request_hash=5) in {Reservation.RESERVED, Reservation.REPEATED}
        assert len(tested.contacts(1)) == 1


def test_a_fake_that_does_not_answer_is_unavailable() -> None:
    with pytest.raises(LedgerUnavailable):
        FakeLedger(available=False).reserve([])


def test_twenty_callers_at_once_never_exceed_the_cap(redis_stack: Stack, client: "redis.Redis") -> None:
    results: list[Reservation] = []
    start = threading.Barrier(20)
    ledger = ContactLedger(ConnectionPerThread(redis_stack.redis, timeout_ms=PATIENT_MS))

    def call(caller: int) -> None:
        start.wait()
        for number in range(10):
            request = ReservationRequest(1, caller * 100 + number, _GAPLESS, Channel.PLAYER, _NOW_MS)
            results.extend(ledger.reserve([request]))

    threads = [threading.Thread(target=call, args=(caller,)) for caller in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results.count(Reservation.RESERVED) == 3
    assert results.count(Reservation.FREQUENCY_CAP) == 197
    assert len(_contacts(client, 1)) == 3
