"""What an operator's delivery receipt says: pure. Both ways of saying it are read: parameters (TLVs) and text.

Source: SMPP 3.4 §5.2.12 (esm_class), §5.2.28 (message_state), Appendix B (text of a receipt).
"""

import re
from collections.abc import Mapping
from enum import Enum
from typing import Final, NamedTuple

RECEIPTED_MESSAGE_ID_TAG: Final = 0x001E
MESSAGE_STATE_TAG: Final = 0x0427
MESSAGE_PAYLOAD_TAG: Final = 0x0424

_TYPE_MASK: Final = 0x3C
_RECEIPT_TYPE: Final = 0x04
_ID: Final = re.compile(r"\bid:\s*(\S+)", re.IGNORECASE)
_STATE: Final = re.compile(r"\bstat:\s*([A-Z]+)", re.IGNORECASE)


class DeliveryState(Enum):
    """Where a message is, as far as it matters here."""

    DELIVERED = "delivered"
    UNDELIVERABLE = "undeliverable"
    UNDERWAY = "underway"
    """Not an end: accepted, en route, or the operator does not know."""


_BY_NUMBER: Final = {
    1: DeliveryState.UNDERWAY,  # ENROUTE
    2: DeliveryState.DELIVERED,
    3: DeliveryState.UNDELIVERABLE,  # EXPIRED
    4: DeliveryState.UNDELIVERABLE,  # DELETED
    5: DeliveryState.UNDELIVERABLE,
    6: DeliveryState.UNDERWAY,  # ACCEPTED
    7: DeliveryState.UNDERWAY,  # UNKNOWN
    8: DeliveryState.UNDELIVERABLE,  # REJECTED
}
_BY_NAME: Final = {
    "DELIVRD": DeliveryState.DELIVERED,
    "EXPIRED": DeliveryState.UNDELIVERABLE,
    "DELETED": DeliveryState.UNDELIVERABLE,
    "UNDELIV": DeliveryState.UNDELIVERABLE,
    "REJECTD": DeliveryState.UNDELIVERABLE,
    "ENROUTE": DeliveryState.UNDERWAY,
    "ACCEPTD": DeliveryState.UNDERWAY,
    "UNKNOWN": DeliveryState.UNDERWAY,
}


class Receipt(NamedTuple):
    """The operator's word on one message."""

    message_id: str
    state: DeliveryState


def parse_receipt(esm_class: int, short_message: bytes, parameters: Mapping[int, bytes]) -> Receipt | None:
    """The receipt in a deliver_sm; None where it is something else (a reply of a listener) or names no message.

    `parameters` are the raw TLV values by tag; they win over the text.
    """
    if esm_class & _TYPE_MASK != _RECEIPT_TYPE:
        return None
    text = (short_message or parameters.get(MESSAGE_PAYLOAD_TAG, b"")).decode("latin-1")
    message_id = _message_id(text, parameters.get(RECEIPTED_MESSAGE_ID_TAG, b""))
    state = _state(text, parameters.get(MESSAGE_STATE_TAG, b""))
    if not message_id or state is None:
        return None
    return Receipt(message_id, state)


def _message_id(text: str, parameter: bytes) -> str:
    given = parameter.rstrip(b"\0").decode("latin-1").strip()
    if given:
        return given
    found = _ID.search(text)
    return found.group(1) if found else ""


def _state(text: str, parameter: bytes) -> DeliveryState | None:
    if len(parameter) == 1 and parameter[0] in _BY_NUMBER:
        return _BY_NUMBER[parameter[0]]
    found = _STATE.search(text)
    return _BY_NAME.get(found.group(1).upper()) if found else None
