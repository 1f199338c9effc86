"""What receipts of different operators say."""

import pytest

from services.sms.receipts import DeliveryState, Receipt, parse_receipt

RECEIPT = 0x04
TEXT = b"id:%s sub:001 dlvrd:001 submit date:2401010000 done date:2401010000 stat:%s err:000 text:hi"
ID_TAG, STATE_TAG, PAYLOAD_TAG = 0x001E, 0x0427, 0x0424


@pytest.mark.parametrize(
    ("name", "number", "state"),
    [
        (b"ENROUTE", 1, DeliveryState.UNDERWAY),
        (b"DELIVRD", 2, DeliveryState.DELIVERED),
        (b"EXPIRED", 3, DeliveryState.UNDELIVERABLE),
        (b"DELETED", 4, DeliveryState.UNDELIVERABLE),
        (b"UNDELIV", 5, DeliveryState.UNDELIVERABLE),
        (b"ACCEPTD", 6, DeliveryState.UNDERWAY),
        (b"UNKNOWN", 7, DeliveryState.UNDERWAY),
        (b"REJECTD", 8, DeliveryState.UNDELIVERABLE),
    ],
)
def test_text_and_parameters_say_the_same(name: bytes, number: int, state: DeliveryState) -> None:
    expected = Receipt("abc-1", state)
    assert parse_receipt(RECEIPT, TEXT % (b"abc-1", name), {}) == expected
    assert parse_receipt(RECEIPT, b"", {ID_TAG: b"abc-1\0", STATE_TAG: bytes([number])}) == expected


def test_parameters_win_over_the_text() -> None:
    parameters = {ID_TAG: b"right\0", STATE_TAG: b"\x05"}
    assert parse_receipt(RECEIPT, TEXT % (b"wrong", b"DELIVRD"), parameters) == ("right", DeliveryState.UNDELIVERABLE)


def test_useless_parameters_leave_the_text() -> None:
    parameters = {ID_TAG: b"\0", STATE_TAG: b"\x63"}
    assert parse_receipt(RECEIPT, b"ID: 9 Stat: delivrd", parameters) == ("9", DeliveryState.DELIVERED)


def test_the_text_may_be_in_the_payload_parameter() -> None:
    assert parse_receipt(RECEIPT, b"", {PAYLOAD_TAG: TEXT % (b"9", b"DELIVRD")}) == ("9", DeliveryState.DELIVERED)


@pytest.mark.parametrize(
    ("esm_class", "text"),
    [
        (0x00, TEXT % (b"9", b"DELIVRD")),  # a listener wrote that
        (0x20, TEXT % (b"9", b"DELIVRD")),  # an intermediate notification
        (RECEIPT, b"stat:DELIVRD"),
        (RECEIPT, b"id:9"),
        (RECEIPT, b"id:9 stat:WHATEVER"),
        (RECEIPT, b""),
    ],
)
def test_what_is_no_receipt_or_names_nothing_is_none(esm_class: int, text: bytes) -> None:
    assert parse_receipt(esm_class, text, {}) is None


def test_other_bits_of_the_class_do_not_matter() -> None:
    assert parse_receipt(0x44 | 0x03, TEXT % (b"9", b"DELIVRD"), {}) == ("9", DeliveryState.DELIVERED)
