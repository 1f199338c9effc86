"""The thread between a loop of records and a loop of events."""

import asyncio
import threading
from collections.abc import Sequence

from services.sms.gateway import Gateway
from services.sms.messages import OutgoingText, encode_text
from services.sms.submission import SubmitOutcome, SubmitResult


class FakeLink:
    """Answers with the number, in another thread than the caller's."""

    def __init__(self) -> None:
        self.is_bound = False
        self.bound = threading.Event()
        self.threads: set[int] = set()

    async def keep_bound(self) -> None:
        self.is_bound = True
        self.bound.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.is_bound = False

    async def submit_all(self, messages: Sequence[OutgoingText]) -> list[SubmitResult]:
        self.threads.add(threading.get_ident())
        return [SubmitResult(SubmitOutcome.TAKEN, message.destination) for message in messages]


def test_it_binds_submits_and_unbinds_in_one_thread_of_its_own() -> None:
    link = FakeLink()
    gateway = Gateway(link)
    assert not gateway.is_bound
    gateway.start()
    assert link.bound.wait(10)
    assert gateway.is_bound
    text = encode_text("hi")
    results = gateway.submit([OutgoingText("+1", text), OutgoingText("+2", text)])
    assert [result.message_id for result in results] == ["+1", "+2"]
    assert link.threads != {threading.get_ident()}
    gateway.stop()
    assert not gateway.is_bound
