"""What every contact ledger does; run on the fake and on Redis."""

import struct
import threading
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Protocol

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from devstack.stack import Part, Stack
from interlude.contacts.campaign import Campaign
from interlude.contacts.caps import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    WEEK_MS,
    CapKind,
    CapWindow,
    Channel,
    Contact,
    violated,
    windows,
)
from interlude.contacts.ledger import (
    CONTACTS_KEPT,
    KEPT_MS,
    ONCE_KEPT_MS,
    ContactLedger,
    LedgerUnavailable,
    Outcome,
    Reservation,
    ReservationRequest,
    contact_times,
    contacts_key,
    decode_contacts,
    once_key,
)
from interlude.servicekit.redis import ConnectionPerThread, connect
from tests.contract.conftest import PATIENT_MS, connections_like
from tests.contract.fakes import FakeLedger

_NOW_MS = 1_700_000_000_000
_CAMPAIGN = Campaign(campaign_id="a", contacts_per_day=3, minimum_gap_minutes=20)
_GAPLESS = Campaign(campaign_id="b", contacts_per_day=3, minimum_gap_minutes=0)
_OTHER = Campaign(campaign_id="c", contacts_per_day=60, minimum_gap_minutes=0)
_RESERVED = Reservation(Outcome.RESERVED)
_REPEATED = Reservation(Outcome.REPEATED)
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
        caps: tuple[CapWindow, ...] | None = None,
        once: bool = False,
        withheld: bool = False,
        customer_id: int = 1,
    ) -> Reservation:
        """As a service does for a listener of whom nothing is known; `caps` instead of the campaign's own."""
        self._number += 1
        request = ReservationRequest(
            customer_id,
            self._number if request_hash is None else request_hash,
            campaign,
            channel,
            at_ms,
            windows(campaign, None, at_ms) if caps is None else caps,
            once,
            withheld,
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


@lru_cache(maxsize=1)
def _shared_client(stack: Stack) -> "redis.Redis":
    """One for all examples of a property: each sets what it reads."""
    return connect(stack.redis, timeout_ms=PATIENT_MS)


def _keys(client: "redis.Redis") -> list[str]:
    return [key if isinstance(key, str) else key.decode() for key in client.scan_iter()]


def _capped(kind: CapKind) -> Reservation:
    return Reservation(Outcome.CAPPED, kind)


def test_the_first_contact_is_reserved_and_kept_as_it_was_asked_for(tested: _Tested) -> None:
    assert tested.reserve(request_hash=2**64 - 1, channel=Channel.SMS) == _RESERVED
    assert tested.contacts(1) == (Contact(_NOW_MS, 2**64 - 1, _CAMPAIGN.campaign_hash, Channel.SMS),)


@pytest.mark.parametrize("channel", Channel)
def test_a_withheld_contact_is_kept_as_one_and_counts(tested: _Tested, channel: Channel) -> None:
    assert tested.reserve(request_hash=1, channel=channel, withheld=True) == _RESERVED
    assert tested.contacts(1) == (Contact(_NOW_MS, 1, _CAMPAIGN.campaign_hash, channel, withheld=True),)
    assert tested.reserve() == _capped(CapKind.GAP_MINUTES)
    assert tested.reserve(request_hash=1, channel=channel, withheld=True) == _REPEATED


@pytest.mark.parametrize(("age_ms", "result"), [(_GAP_MS - 1, _capped(CapKind.GAP_MINUTES)), (_GAP_MS, _RESERVED)])
def test_the_minimum_gap_ends_exactly_when_it_is_over(tested: _Tested, age_ms: int, result: Reservation) -> None:
    tested.reserve(_NOW_MS - age_ms)
    assert tested.reserve() == result


@pytest.mark.parametrize(("oldest_age_ms", "result"), [(DAY_MS - 1, _capped(CapKind.DAY)), (DAY_MS, _RESERVED)])
def test_a_contact_counts_until_it_is_exactly_a_day_old(
    tested: _Tested, oldest_age_ms: int, result: Reservation
) -> None:
    for age_ms in (oldest_age_ms, 2 * _GAP_MS, _GAP_MS):
        assert tested.reserve(_NOW_MS - age_ms) == _RESERVED
    assert tested.reserve() == result


def test_the_first_full_window_is_named_in_the_order_of_the_request(tested: _Tested) -> None:
    tested.reserve(_NOW_MS - 10)
    roomy = CapWindow(CapKind.HOUR, _NOW_MS - 11, 2)
    border = CapWindow(CapKind.DAY, _NOW_MS - 10, 1)
    session, gap = CapWindow(CapKind.SESSION, _NOW_MS - 11, 1), CapWindow(CapKind.GAP_TRACKS, 0, 1)
    assert tested.reserve(caps=(roomy, border, session, gap)) == _capped(CapKind.SESSION)
    assert tested.reserve(caps=(gap, roomy, border, session)) == _capped(CapKind.GAP_TRACKS)
    assert tested.reserve(caps=(border, roomy)) == _RESERVED


def test_without_windows_nothing_is_capped(tested: _Tested) -> None:
    assert [tested.reserve(caps=()) for _ in range(5)] == [_RESERVED] * 5


def test_a_cap_of_zero_reserves_nothing(tested: _Tested) -> None:
    assert tested.reserve(campaign=Campaign(campaign_id="z", contacts_per_day=0)) == _capped(CapKind.DAY)
    assert tested.contacts(1) == ()


def test_both_channels_and_all_campaigns_share_the_caps(tested: _Tested) -> None:
    tested.reserve(channel=Channel.SMS, campaign=_GAPLESS)
    assert tested.reserve(channel=Channel.PLAYER) == _capped(CapKind.GAP_MINUTES)


def test_customers_do_not_share_them(tested: _Tested) -> None:
    assert [tested.reserve(customer_id=customer_id) for customer_id in (1, 2)] == [_RESERVED] * 2


def test_the_same_request_again_is_repeated_and_adds_nothing(tested: _Tested) -> None:
    results = [tested.reserve(_NOW_MS + wait_ms, request_hash=9) for wait_ms in (0, 5, DAY_MS)]
    assert results == [_RESERVED, _REPEATED, _REPEATED]
    assert len(tested.contacts(1)) == 1


def test_a_repeated_request_is_recognised_behind_a_full_cap(tested: _Tested) -> None:
    for request_hash in (7, 8, 9):
        tested.reserve(request_hash=request_hash, campaign=_GAPLESS)
    assert tested.reserve(request_hash=7, campaign=_GAPLESS) == _REPEATED
    assert tested.reserve(request_hash=6, campaign=_GAPLESS) == _capped(CapKind.DAY)


def test_a_batch_is_reserved_in_order(tested: _Tested) -> None:
    caps = windows(_CAMPAIGN, None, _NOW_MS)
    requests = [
        ReservationRequest(customer_id, number, _CAMPAIGN, Channel.PLAYER, _NOW_MS, caps)
        for number, customer_id in enumerate((1, 2, 1, 2, 3))
    ]
    gap = _capped(CapKind.GAP_MINUTES)
    assert tested.ledger.reserve(requests) == [_RESERVED, _RESERVED, gap, gap, _RESERVED]
    assert tested.ledger.reserve([]) == []


def test_a_contact_from_a_clock_that_runs_ahead_counts_at_once_and_is_kept_in_its_place(tested: _Tested) -> None:
    tested.reserve(_NOW_MS + 50, request_hash=1, campaign=_GAPLESS)
    assert tested.reserve(_NOW_MS, request_hash=2, campaign=_GAPLESS) == _RESERVED
    assert tested.reserve(_NOW_MS, request_hash=3) == _capped(CapKind.GAP_MINUTES)
    assert tested.reserve(_NOW_MS + _GAP_MS + 49, request_hash=4) == _capped(CapKind.GAP_MINUTES)
    assert tested.reserve(_NOW_MS + _GAP_MS + 50, request_hash=5) == _RESERVED
    assert tested.reserve(_NOW_MS, request_hash=1) == _REPEATED
    assert [contact.request_hash for contact in tested.contacts(1)] == [2, 1, 5]


def test_once_means_once_for_a_campaign_and_channel(tested: _Tested) -> None:
    def text(campaign: Campaign, request_hash: int, days: int) -> Outcome:
        at_ms = _NOW_MS + days * DAY_MS
        reservation = tested.reserve(
            at_ms, request_hash=request_hash, campaign=campaign, channel=Channel.SMS, once=True
        )
        return reservation.outcome

    assert text(_GAPLESS, 1, 0) is Outcome.RESERVED
    assert text(_GAPLESS, 2, 2) is Outcome.ALREADY_CONTACTED
    assert text(_GAPLESS, 1, 2) is Outcome.REPEATED
    assert text(_OTHER, 3, 2) is Outcome.RESERVED
    assert tested.reserve(_NOW_MS + 2 * DAY_MS, campaign=_GAPLESS, once=True) == _RESERVED


def test_once_is_not_used_up_by_a_refusal(tested: _Tested) -> None:
    tested.reserve()
    assert tested.reserve(request_hash=50, once=True) == _capped(CapKind.GAP_MINUTES)
    assert tested.reserve(_NOW_MS + _GAP_MS, request_hash=51, once=True) == _RESERVED


def test_the_newest_rows_are_kept(tested: _Tested) -> None:
    count = CONTACTS_KEPT + 6
    for number in range(count):
        assert tested.reserve(_NOW_MS + number, request_hash=number, caps=()) == _RESERVED
    kept = [contact.request_hash for contact in tested.contacts(1)]
    assert kept == list(range(count - CONTACTS_KEPT, count))


def test_the_greatest_cap_holds_whatever_was_before(tested: _Tested) -> None:
    for number in range(CONTACTS_KEPT):
        tested.reserve(_NOW_MS - HOUR_MS - number, caps=())
    caps = (CapWindow(CapKind.HOUR, _NOW_MS - HOUR_MS, 60),)
    results = [tested.reserve(_NOW_MS - number % 7, caps=caps) for number in range(70)]
    assert results == [_RESERVED] * 60 + [_capped(CapKind.HOUR)] * 10


def test_rows_older_than_anything_a_cap_looks_at_go(tested: _Tested) -> None:
    tested.reserve(request_hash=1)
    tested.reserve(_NOW_MS + KEPT_MS - 1, request_hash=2)
    tested.reserve(_NOW_MS + KEPT_MS + DAY_MS, request_hash=3)
    assert [contact.request_hash for contact in tested.contacts(1)] == [2, 3]


_AGES_MS = st.sampled_from((-MINUTE_MS, -1, 0, 1, _GAP_MS, HOUR_MS, DAY_MS, WEEK_MS)).flatmap(
    lambda border_ms: st.integers(border_ms - 2, border_ms + 2)
)
_WINDOWS = st.builds(
    lambda kind, age_ms, limit: CapWindow(kind, _NOW_MS - age_ms, limit),
    st.sampled_from(CapKind),
    _AGES_MS,
    st.integers(0, 6) | st.integers(58, 62),
)


@given(st.lists(_AGES_MS, max_size=CONTACTS_KEPT), st.lists(_WINDOWS, max_size=7).map(tuple))
def test_any_ledger_is_refused_exactly_where_the_policy_refuses_it(
    redis_stack: Stack, ages_ms: list[int], caps: tuple[CapWindow, ...]
) -> None:
    client = _shared_client(redis_stack)
    rows = b"".join(
        struct.pack("<QQQB", _NOW_MS - age_ms, number, _GAPLESS.campaign_hash, Channel.SMS)
        for number, age_ms in enumerate(ages_ms)
    )
    client.set(contacts_key(1), rows)
    full = violated(caps, contact_times(rows, 99))
    result = _on_redis(client).reserve(request_hash=99, caps=caps)
    assert result == (_RESERVED if full is None else _capped(full.kind))
    assert len(_contacts(client, 1)) == min(len(ages_ms) + (full is None), CONTACTS_KEPT)


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
    caps = windows(_CAMPAIGN, None, _NOW_MS)
    requests = [ReservationRequest(number, 99, _CAMPAIGN, Channel.PLAYER, _NOW_MS, caps) for number in (7, 8)]
    assert tested.ledger.reserve(requests) == [_RESERVED] * 2
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
        assert tested.reserve(request_hash=5) in {_RESERVED, _REPEATED}
        assert len(tested.contacts(1)) == 1


def test_a_fake_that_does_not_answer_is_unavailable() -> None:
    with pytest.raises(LedgerUnavailable):
        FakeLedger(available=False).reserve([])


@pytest.mark.parametrize("ledgers", [1, 2])
def test_twenty_callers_at_once_never_exceed_the_cap(redis_stack: Stack, client: "redis.Redis", ledgers: int) -> None:
    results: list[Reservation] = []
    start = threading.Barrier(20)
    replicas = [ContactLedger(ConnectionPerThread(redis_stack.redis, timeout_ms=PATIENT_MS)) for _ in range(ledgers)]
    caps = windows(_GAPLESS, None, _NOW_MS)

    def call(caller: int) -> None:
        start.wait()
        for number in range(10):
            request = ReservationRequest(1, caller * 100 + number, _GAPLESS, Channel.PLAYER, _NOW_MS, caps)
            results.extend(replicas[caller % ledgers].reserve([request]))

    threads = [threading.Thread(target=call, args=(caller,)) for caller in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results.count(_RESERVED) == 3
    assert results.count(_capped(CapKind.DAY)) == 197
    assert len(_contacts(client, 1)) == 3
