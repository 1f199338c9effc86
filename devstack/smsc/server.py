"""The SMPP loop of the operator."""

import asyncio
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import smpp34
from smpp34 import _smpp34 as codes  # the public module has the constants too, but not in its types

from devstack.smsc.behaviour import SmscSettings, Verdict, judge, receipt_text, wants_receipt
from devstack.smsc.record import AcceptedMessage, append_message

_RECEIPT: Final = 0x04  # esm_class: this deliver_sm is a delivery receipt
_STATE_DELIVERED: Final = 2
_STATE_UNDELIVERABLE: Final = 5
_UCS2: Final = 8
_REFUSALS: Final = {Verdict.REFUSED: codes.ESME_RINVDSTADR, Verdict.THROTTLED: codes.ESME_RTHROTTLED}


@dataclass(frozen=True, slots=True)
class _Submission:
    message_id: str
    event: smpp34.SubmitSmEvent
    verdict: Verdict
    at_ms: int


class Operator:
    """Answers binds and submissions until it is cancelled."""

    def __init__(self, server: smpp34.Server, settings: SmscSettings, record: Path) -> None:
        self._server = server
        self._settings = settings
        self._record = record
        self._sessions: dict[str, smpp34.Esme] = {}
        self._receipts: set[asyncio.Task[None]] = set()
        self._submissions = 0

    async def run(self) -> None:
        """The loop: one event after the other, receipts beside it."""
        while True:
            event = await self._server.next()
            if isinstance(event, smpp34.Esme):
                await self._bound(event)
            elif isinstance(event, smpp34.SubmitSmEvent):
                self._submitted(event)
            else:
                self._sessions.pop(event.session_id, None)

    async def _bound(self, session: smpp34.Esme) -> None:
        if session.system_id != self._settings.system_id:
            await session.unbind()
            return
        self._sessions[session.session_id] = session

    def _submitted(self, event: smpp34.SubmitSmEvent) -> None:
        if event.session_id not in self._sessions:
            event.reject(codes.ESME_RSYSERR)
            return
        self._submissions += 1
        verdict = judge(self._settings, event.destination_addr, self._submissions)
        if not verdict.accepted:
            event.reject(_REFUSALS[verdict])
            return
        self._accept(_Submission(uuid.uuid4().hex[:16], event, verdict, _now_ms()))

    def _accept(self, submission: _Submission) -> None:
        event = submission.event
        # The book first: whoever sees the answer finds the message in it.
        append_message(self._record, _recorded(submission))
        event.accept(submission.message_id)
        if wants_receipt(event.registered_delivery, submission.verdict):
            task = asyncio.create_task(self._send_receipt(submission))
            self._receipts.add(task)
            task.add_done_callback(self._receipts.discard)

    async def _send_receipt(self, submission: _Submission) -> None:
        await asyncio.sleep(self._settings.receipt_delay_ms / 1000)
        session = self._receiver(submission.event.session_id)
        if session is None:
            return
        event, message_id = submission.event, submission.message_id
        text = receipt_text(message_id, submission.verdict, submission.at_ms, _now_ms(), _text(event))
        state = _STATE_DELIVERED if submission.verdict is Verdict.DELIVERED else _STATE_UNDELIVERABLE
        await session.deliver_sm(
            event.source_addr,
            text,
            source_addr=event.destination_addr,
            esm_class=_RECEIPT,
            tlvs=[
                smpp34.Tlv(codes.TLV_RECEIPTED_MESSAGE_ID, message_id.encode() + b"\0"),
                smpp34.Tlv(codes.TLV_MESSAGE_STATE, bytes([state])),
            ],
        )

    def _receiver(self, session_id: str) -> smpp34.Esme | None:
        """The submitting session, else any that can receive: a client that came back gets what it is owed."""
        mine = self._sessions.get(session_id)
        candidates = [mine] if mine is not None else []
        candidates += reversed(self._sessions.values())
        return next((session for session in candidates if session.can_receive), None)


def _recorded(submission: _Submission) -> AcceptedMessage:
    event = submission.event
    return AcceptedMessage(
        message_id=submission.message_id,
        source=event.source_addr,
        destination=event.destination_addr,
        text=_text(event),
        data_coding=event.data_coding,
        verdict=submission.verdict.value,
        at_ms=submission.at_ms,
    )


def _text(event: smpp34.SubmitSmEvent) -> str:
    encoding = "utf-16-be" if event.data_coding == _UCS2 else "latin-1"
    return event.short_message.decode(encoding, "replace")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
