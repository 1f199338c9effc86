"""Whose a key of Redis is."""

from collections.abc import Sequence

import pytest

from interlude.contacts.campaign import Campaign
from interlude.contacts.caps import Channel
from interlude.contacts.leases import budget_key
from interlude.contacts.ledger import contacts_key, once_key
from interlude.features.codec import hot_key, state_key
from interlude.v1 import events_pb2 as pb
from services.decision.reported import reported_key
from services.enricher.traces import FAMILIES, Trace, find_traces
from services.sms.directory import profile_key
from services.sms.journal import RequestKey, entry_key, message_key

CUSTOMER = 4711
OTHER = 47
CAMPAIGN = Campaign(campaign_id="gold")


class FakeRedis:
    """A database that is read in two steps."""

    def __init__(self, kept: dict[str, bytes]) -> None:
        self._kept = {key.encode(): value for key, value in kept.items()}

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        assert count > 0
        keys = sorted(self._kept)
        half = len(keys) // 2
        return (0, keys[half:]) if cursor else (1, keys[:half])

    def mget(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return [self._kept.get(key) for key in keys]


def _keys_of(customer_id: int) -> dict[str, bytes]:
    """A key of every kind that services keep of a customer, as they themselves name it."""
    event = pb.AdEvent(customer_id=customer_id, decision_id="d", kind=pb.AD_EVENT_KIND_CLICK)
    names = {
        state_key(customer_id),
        state_key(customer_id, 12),
        hot_key(customer_id),
        hot_key(customer_id, 12),
        contacts_key(customer_id),
        once_key(customer_id, CAMPAIGN, Channel.SMS),
        reported_key(event),
        profile_key(customer_id),
        entry_key(RequestKey(customer_id, 1)),
    }
    return {**dict.fromkeys(names, b""), message_key(f"operator-{customer_id}"): b"%d\0gold\0request" % customer_id}


def _find(kept: dict[str, bytes], customer_ids: Sequence[int]) -> list[Trace]:
    return find_traces(FakeRedis(kept), customer_ids)  # type: ignore[arg-type]


def test_every_key_of_a_customer_is_found_and_no_other() -> None:
    ours = _keys_of(CUSTOMER)
    others = {**_keys_of(OTHER), "generation": b"", "rebuild": b"", budget_key(CAMPAIGN): b"", "m:x": b"not ours"}
    found = _find({**ours, **others}, [CUSTOMER])
    assert {trace.key.decode() for trace in found} == set(ours)
    assert {trace.family for trace in found} == set(FAMILIES)
    assert {trace.customer_id for trace in found} == {CUSTOMER}


def test_several_customers_are_told_apart() -> None:
    found = _find({**_keys_of(CUSTOMER), **_keys_of(OTHER)}, [CUSTOMER, OTHER])
    assert len(found) == 20
    assert all(str(trace.customer_id) in trace.key.decode() or trace.family == "m" for trace in found)


@pytest.mark.parametrize(("key", "generation"), [("s:{1}", 0), ("s3:{1}", 3), ("f12:{1}", 12), ("c:{1}", 0)])
def test_states_and_features_tell_their_generation(key: str, generation: int) -> None:
    assert [trace.generation for trace in _find({key: b""}, [1])] == [generation]


@pytest.mark.parametrize("key", ["b:{1}", "s0:{1}", "s:{1}x", "x:{1}", "s:1", "c1:{1}", "s:{01}x"])
def test_a_key_of_something_else_is_nobodys(key: str) -> None:
    assert _find({key: b""}, [1]) == []
