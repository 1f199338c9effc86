"""Alphabets and their limits."""

import pytest

from services.sms.messages import DataCoding, OutgoingText, TextTooLong, encode_text


@pytest.mark.parametrize(
    ("text", "payload"),
    [
        ("Half price today", b"Half price today"),
        ("@£$_", b"\x00\x01\x02\x11"),
        ("é à", b"\x05\x20\x7f"),
        ("5 €", b"5 \x1b\x65"),
        ("[x]", b"\x1b\x3cx\x1b\x3e"),
    ],
)
def test_letters_of_the_gsm_alphabet_take_one_octet_and_extended_ones_two(text: str, payload: bytes) -> None:
    assert encode_text(text) == (payload, DataCoding.GSM_7)


def test_any_other_letter_makes_it_ucs_2() -> None:
    assert encode_text("Привет") == ("Привет".encode("utf-16-be"), DataCoding.UCS_2)
    assert encode_text("ç").data_coding is DataCoding.UCS_2  # only the capital letter is in the alphabet
    assert encode_text("\x1b").data_coding is DataCoding.UCS_2


@pytest.mark.parametrize(("fits", "too_long"), [("x" * 160, "x" * 161), ("€" * 80, "€" * 81), ("я" * 70, "я" * 71)])
def test_a_text_fits_one_part_or_is_refused(fits: str, too_long: str) -> None:
    assert encode_text(fits).payload
    with pytest.raises(TextTooLong, match="one message part has"):
        encode_text(too_long)


def test_a_number_does_not_show_in_a_repr() -> None:
    assert "15550100" not in repr(OutgoingText("+15550100", encode_text("hi")))
