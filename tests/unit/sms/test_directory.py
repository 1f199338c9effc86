"""Phones under seal, profiles as bytes."""

import pytest

from interlude.features.state import Level
from services.sms.directory import PhoneSeal, UnreadableProfile, decode_profile, encode_profile
from services.sms.policy import TextProfile

KEY = bytes(range(32))
PHONE = "+15550100"


def test_a_sealed_number_opens_for_its_customer_only() -> None:
    seal = PhoneSeal(KEY)
    sealed = seal.close(7, PHONE)
    assert seal.open(7, sealed) == PHONE
    assert b"1555" not in sealed
    with pytest.raises(UnreadableProfile):
        seal.open(8, sealed)


def test_another_key_or_a_changed_byte_opens_nothing() -> None:
    sealed = PhoneSeal(KEY).close(7, PHONE)
    with pytest.raises(UnreadableProfile, match="SMS_PHONE_KEY"):
        PhoneSeal(bytes(32)).open(7, sealed)
    with pytest.raises(UnreadableProfile):
        PhoneSeal(KEY).open(7, sealed[:-1] + bytes([sealed[-1] ^ 1]))
    with pytest.raises(UnreadableProfile):
        PhoneSeal(KEY).open(7, b"short")


def test_the_same_number_is_sealed_differently_each_time() -> None:
    assert PhoneSeal(KEY).close(7, PHONE) != PhoneSeal(KEY).close(7, PHONE)


@pytest.mark.parametrize(
    "phone", ["", "5550100", "+0555010012", "+1555", "+1555010012345678", "+1555010x", "+15550100\n"]
)
def test_what_cannot_be_texted_is_no_phone(phone: str) -> None:
    assert PhoneSeal(KEY).close(7, phone) == b""


@pytest.mark.parametrize("active", [True, False])
@pytest.mark.parametrize("consent_sms", [True, False])
@pytest.mark.parametrize("sealed_phone", [b"", b"sealed"])
def test_profiles_survive_their_encoding(active: bool, consent_sms: bool, sealed_phone: bytes) -> None:
    profile = TextProfile(123, Level.SILVER, active, consent_sms, sealed_phone)
    assert decode_profile(7, encode_profile(profile)) == profile


@pytest.mark.parametrize("value", [b"", b"short", bytes(8) + b"\x02" + bytes(2)])
def test_bytes_that_are_not_ours_are_refused_without_the_id(value: bytes) -> None:
    with pytest.raises(UnreadableProfile) as refusal:
        decode_profile(12345, value)
    assert "12345" not in str(refusal.value)
