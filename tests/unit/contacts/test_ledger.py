"""The bytes of the ledger."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlude.contacts.campaign import Campaign
from interlude.contacts.caps import Channel, Contact
from interlude.contacts.ledger import (
    CONTACTS_KEPT,
    CorruptContacts,
    contact_times,
    contacts_key,
    decode_contacts,
    once_key,
)

_ROW = bytes.fromhex("00e40b54020000000700000000000000090000000000000002")


def test_a_row_is_25_bytes_little_endian() -> None:
    assert decode_contacts(_ROW) == (Contact(10_000_000_000, 7, 9, Channel.SMS),)


def test_the_highest_bit_of_the_channel_says_withheld() -> None:
    assert decode_contacts(_ROW[:-1] + b"\x81") == (Contact(10_000_000_000, 7, 9, Channel.PLAYER, withheld=True),)


@pytest.mark.parametrize("value", [None, b""])
def test_nothing_kept_means_no_contacts(value: bytes | None) -> None:
    assert decode_contacts(value) == ()
    assert contact_times(value, 1) == ()


@pytest.mark.parametrize("value", [_ROW[:-1], _ROW + b"\x01", _ROW[:-1] + b"\x09", b"garbage"])
def test_damage_is_told_apart_from_contacts(value: bytes) -> None:
    with pytest.raises(CorruptContacts, match=f"{len(value)} bytes"):
        decode_contacts(value)


@pytest.mark.parametrize("value", [_ROW[:-1], _ROW + b"\x01", b"garbage", _ROW * (CONTACTS_KEPT + 1)])
def test_times_are_not_read_out_of_damage(value: bytes) -> None:
    with pytest.raises(CorruptContacts, match=f"{len(value)} bytes"):
        contact_times(value, 1)
    with pytest.raises(CorruptContacts, match=f"{len(value)} bytes"):
        decode_contacts(value)


_NUMBERS = st.integers(0, 2**64 - 1) | st.integers(0, 2)


@given(st.lists(st.tuples(_NUMBERS, _NUMBERS, st.sampled_from((1, 2, 0x81, 0x82))), max_size=CONTACTS_KEPT), _NUMBERS)
def test_times_are_those_of_all_contacts_but_the_requests_own(rows: list[tuple[int, int, int]], own: int) -> None:
    value = b"".join(struct.pack("<QQQB", at_ms, owner, 5, channel) for at_ms, owner, channel in rows)
    others = [contact.at_ms for contact in decode_contacts(value) if contact.request_hash != own]
    assert contact_times(value, own) == tuple(others)


def test_all_keys_of_a_customer_lie_in_one_cluster_slot() -> None:
    campaign = Campaign(campaign_id="a")
    assert contacts_key(12) == "c:{12}"
    assert once_key(12, campaign, Channel.SMS).startswith("o:{12}:")


def test_once_is_kept_for_each_campaign_and_channel() -> None:
    campaigns = [Campaign(campaign_id=name) for name in ("a", "b")]
    keys = {once_key(1, campaign, channel) for campaign in campaigns for channel in Channel}
    assert len(keys) == 4
