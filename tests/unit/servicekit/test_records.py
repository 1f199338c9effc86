"""Headers that the client cannot read are dropped before anybody touches them."""

from typing import cast

import pytest
from confluent_kafka import Message

from interlude.servicekit.records import drop_unreadable_headers


class Unreadable:
    """A record whose headers fail as those do whose names are not UTF-8."""

    def __init__(self, error: type[Exception]) -> None:
        self.kept: list[tuple[str, bytes]] | None = None
        self._error = error

    def headers(self) -> list[tuple[str, bytes]]:
        if self.kept is None:
            raise self._error("headers")
        return self.kept

    def set_headers(self, headers: list[tuple[str, bytes]]) -> None:
        self.kept = headers

    def topic(self) -> str:
        return "listens"

    def partition(self) -> int:
        return 1

    def offset(self) -> int:
        return 2


@pytest.mark.parametrize("error", [SystemError, ValueError])
def test_only_what_the_client_cannot_read_is_dropped(error: type[Exception]) -> None:
    record = Unreadable(error)
    if error is ValueError:
        with pytest.raises(ValueError, match="headers"):
            drop_unreadable_headers(cast(Message, record))
        return
    drop_unreadable_headers(cast(Message, record))
    assert record.headers() == []


def test_readable_headers_stay() -> None:
    record = Message(topic="listens", headers=[("a", b"\xff"), ("a", None)])
    drop_unreadable_headers(record)
    assert record.headers() == [("a", b"\xff"), ("a", None)]
