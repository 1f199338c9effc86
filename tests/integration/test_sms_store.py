"""Profiles and request states on a real Redis."""

from collections.abc import Callable

import pytest

from devstack.ports import LOOPBACK, free_port
from interlude.features.state import Erasure, Level
from interlude.servicekit.errors import Unavailable
from interlude.servicekit.redis import connect
from services.sms.directory import CustomerDirectory
from services.sms.journal import Change, Entry, Journal, RequestKey, SentText, Status
from services.sms.policy import Reason, TextProfile, TextRequest


def test_an_older_profile_never_replaces_a_newer_one(redis_url: str) -> None:
    old, new = (TextProfile(at_ms, Level.FREE, True, at_ms == 1, b"") for at_ms in (1, 2))
    with connect(redis_url, timeout_ms=1000) as client:
        directory = CustomerDirectory(client)
        directory.apply([(7, new), (7, old), (8, old), (8, new), (9, old), (9, None)])
        assert directory.read([7, 8, 9, 10]) == {7: new, 8: new}
        directory.apply([])
        assert directory.read([]) == {}


def test_an_erasure_takes_the_profile_and_no_older_one_comes_back(redis_url: str) -> None:
    old, same, new = (TextProfile(at_ms, Level.FREE, True, True, b"sealed") for at_ms in (1, 2, 3))
    with connect(redis_url, timeout_ms=1000) as client:
        directory = CustomerDirectory(client)
        directory.apply([(7, same), (7, Erasure(2)), (7, old), (7, same)])
        assert directory.read([7]) == {}
        assert b"sealed" not in (client.get("p:{7}") or b"")
        directory.apply([(7, new), (7, Erasure(2))])
        assert directory.read([7]) == {7: new}


def test_an_entry_is_replaced_only_where_it_is_what_it_must_be(redis_url: str) -> None:
    key = RequestKey(7, 0xABC)
    mine, theirs = (Entry(Status.SUBMITTING, accepted_at_ms=1, note=token) for token in (b"mine", b"theirs"))
    accepted = Entry(Status.ACCEPTED, accepted_at_ms=1)
    with connect(redis_url, timeout_ms=1000) as client:
        journal = Journal(client)
        assert journal.replace([Change(key, accepted, mine)]) == [False]
        assert journal.read([key]) == {}
        assert journal.replace([Change(key, None, mine), Change(key, None, theirs)]) == [True, False]
        assert journal.replace([Change(key, None, mine)]) == [True]  # the answer to the first one may have been lost
        assert journal.replace([Change(key, mine, accepted), Change(key, accepted, theirs)]) == [True, True]
        assert journal.read([key]) == {key: theirs}
        assert client.ttl("q:{7}:0000000000000abc") > 300 * 24 * 3600


def test_a_message_leads_back_to_its_request_until_its_receipt_came(redis_url: str) -> None:
    request = TextRequest("premium-day/7", 7, "premium-day", expires_at_ms=0)
    with connect(redis_url, timeout_ms=1000) as client:
        journal = Journal(client)
        journal.write({RequestKey(7, 1): (request, Entry(Status.SENT, Reason.NONE, 1, 2, b"m1"))})
        journal.write({RequestKey(7, 2): (request, Entry(Status.FAILED, Reason.UNCERTAIN, 1, 2))})
        assert journal.find_sent(["m1", "m2"]) == {"m1": SentText(7, "premium-day", "premium-day/7")}
        journal.forget_sent(["m1"])
        assert journal.find_sent(["m1"]) == {}


@pytest.mark.parametrize("call", ["read", "replace", "find_sent", "forget_sent"])
def test_a_redis_that_is_not_there_makes_it_wait(call: str) -> None:
    with connect(f"redis://{LOOPBACK}:{free_port()}/0", timeout_ms=100) as client:
        journal = Journal(client)
        calls: dict[str, Callable[[], object]] = {
            "read": lambda: journal.read([RequestKey(7, 1)]),
            "replace": lambda: journal.replace([Change(RequestKey(7, 1), None, Entry(Status.ACCEPTED))]),
            "find_sent": lambda: journal.find_sent(["m1"]),
            "forget_sent": lambda: journal.forget_sent(["m1"]),
        }
        with pytest.raises(Unavailable):
            calls[call]()
