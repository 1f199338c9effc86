"""The details of a refusal, byte by byte."""

import pytest

from services.decision.retry_info import with_retry_info


def test_the_bytes_are_those_of_the_public_messages() -> None:
    url = b"type.googleapis.com/google.rpc.RetryInfo"
    info = b"\x0a\x08" + b"\x08\x01" + b"\x10\x80\xe5\x9a\x77"  # retry_delay: 1 s, 250,000,000 ns
    info = b"\x0a" + bytes([len(info) - 2]) + info[2:]
    details = b"\x0a" + bytes([len(url)]) + url + b"\x12" + bytes([len(info)]) + info
    expected = b"\x08\x08" + b"\x12\x04full" + b"\x1a" + bytes([len(details)]) + details
    assert with_retry_info(8, "full", 1250) == expected


def test_a_text_that_needs_a_longer_length_is_not_written_wrongly() -> None:
    with pytest.raises(ValueError, match="200 bytes"):
        with_retry_info(8, "x" * 200, 100)
