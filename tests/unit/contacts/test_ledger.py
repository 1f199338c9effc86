"""The bytes of the ledger."""

import pytest

from interlude.contacts.campaign import Campaign
from interlude.contacts.caps import Channel, Contact
from interlude.contacts.ledger import CorruptContacts, contacts_key, decode_contacts, once_key

_ROW = bytes.fromhex("00e40b54020000000700000000000000090000000000000002")


def test_a_row_is_25_bytes_little_endian() -> None:
    assert decode_contacts(_ROW) == (Contact(10_000_000_000, 7, 9, Channel.SMS),)


@pytest.mark.parametrize("value", [None, b""])
def test_nothing_kept_means_no_contacts(value: bytes | None) -> None:
    assert decode_contacts(value) == ()


@pytest.mark.parametrize("value", [_ROW[:-1], _ROW + b"\x01", _ROW[:-1] + b"\x09", b"garbage"])
def test_damage_is_told_apart_from_contacts(value: bytes) -> None:
    with pytest.raises(CorruptContacts, match=f"{len(value)} bytes"):
        decode_contacts(value)


def test_all_keys_of_a_customer_lie_in_one_cluster_slot() -> None:
    campaign = Campaign(campaign_id="a")
    assert contacts_key(12) == "c:{12}"
    assert once_key(12, campaign, Channel.SMS).startswith("o:{12}:")


def test_once_is_kept_for_each_campaign_and_channel() -> None:
    campaigns = [Campaign(campaign_id=name) for name in ("a", "b")]
    keys = {once_key(1, campaign, channel) for campaign in campaigns for channel in Channel}
    assert len(keys) == 4
