"""What goes over the air: a text in the GSM 7-bit alphabet where it fits, else in UCS-2. Pure.

Source of the tables and limits: 3GPP TS 23.038 §6.2.1, SMPP 3.4 §5.2.19.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, NamedTuple

from interlude.contacts.campaign import Campaigns

GSM_7_LIMIT: Final = 160
"""Septets in one message part."""

UCS_2_LIMIT: Final = 70
"""UTF-16 units in one message part."""

_ESCAPE: Final = 0x1B
_BASIC: Final = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_BASIC_CODES: Final = {letter: code for code, letter in enumerate(_BASIC) if code != _ESCAPE}
_EXTENSION_CODES: Final = dict(zip("\f^{}\\[~]|€", b"\x0a\x14\x28\x29\x2f\x3c\x3d\x3e\x40\x65", strict=True))


class DataCoding(IntEnum):
    """The SMPP data_coding of a payload."""

    GSM_7 = 0
    UCS_2 = 8


class EncodedText(NamedTuple):
    """A text as the operator takes it; one octet per septet in GSM_7."""

    payload: bytes
    data_coding: DataCoding


@dataclass(frozen=True, slots=True)
class OutgoingText:
    """One message to submit. `destination` is E.164 and stays out of every repr."""

    destination: str = field(repr=False)
    text: EncodedText


@dataclass(eq=False)
class TextTooLong(Exception):
    """A text that needs more than one message part."""

    units: int
    limit: int
    data_coding: DataCoding

    def __str__(self) -> str:
        return f"takes {self.units} units in {self.data_coding.name}, one message part has {self.limit}"


def encode_text(text: str) -> EncodedText:
    """`text` in the narrowest alphabet that has all its letters. Raises `TextTooLong`."""
    septets = _to_gsm_7(text)
    if septets is not None:
        _check_size(len(septets), GSM_7_LIMIT, DataCoding.GSM_7)
        return EncodedText(septets, DataCoding.GSM_7)
    payload = text.encode("utf-16-be")
    _check_size(len(payload) // 2, UCS_2_LIMIT, DataCoding.UCS_2)
    return EncodedText(payload, DataCoding.UCS_2)


def long_texts(campaigns: Campaigns) -> list[str]:
    """The texts of campaigns that take more than one message part, each a sentence with its path."""
    problems = []
    for place, campaign in enumerate(campaigns.campaigns):
        try:
            encode_text(campaign.sms_text)
        except TextTooLong as error:
            problems.append(f"campaigns[{place}].sms_text: {error}")
    return problems


def _to_gsm_7(text: str) -> bytes | None:
    septets = bytearray()
    for letter in text:
        if letter in _BASIC_CODES:
            septets.append(_BASIC_CODES[letter])
        elif letter in _EXTENSION_CODES:
            septets += bytes((_ESCAPE, _EXTENSION_CODES[letter]))
        else:
            return None
    return bytes(septets)


def _check_size(units: int, limit: int, data_coding: DataCoding) -> None:
    if units > limit:
        raise TextTooLong(units, limit, data_coding)
