"""One SMPP session with the operator, kept bound; everything here runs in one event loop."""

import asyncio
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

import smpp34
import structlog

from services.sms.messages import OutgoingText
from services.sms.metrics import SmsMetrics
from services.sms.pace import TokenBucket, pauses
from services.sms.submission import SubmitOutcome, SubmitResult

RMSGQFUL: Final = 0x14
RTHROTTLED: Final = 0x58
_COME_AGAIN: Final = frozenset({RTHROTTLED, RMSGQFUL})
"""Answers that say: not taken, and not because of the message."""

_OFFER_SECONDS: Final = 15.0
"""How long throttled messages are offered again before the caller is told."""

_HELD_SECONDS: Final = 5.0
"""A session that lasted this long was a good one: reconnecting starts with a short pause again."""

_CONNECT_MS: Final = 5000
_CLOSE_SECONDS: Final = 2.0
_TRANSCEIVER: Final = "TRX"
_INTERNATIONAL, _NATIONAL_CODE, _ALPHANUMERIC = 1, 0, 5
_ISDN, _NO_PLAN = 1, 0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class SmppSettings:
    """Where the operator is, who we are there, and how fast we may go."""

    host: str
    port: int
    tls: bool
    system_id: str
    password: str
    source_address: str
    window: int
    messages_per_second: float
    response_timeout_ms: int

    def __repr__(self) -> str:
        return f"SmppSettings({self.host}:{self.port})"


class SmppLink:
    """Keeps a session bound, submits through it, and passes on what the operator delivers."""

    def __init__(
        self, settings: SmppSettings, on_delivery: Callable[[smpp34.DeliverSmEvent], None], metrics: SmsMetrics
    ) -> None:
        """`on_delivery` is called in the event loop and must not block."""
        self._settings = settings
        self._on_delivery = on_delivery
        self._metrics = metrics
        self._session: smpp34.Smsc | None = None
        self._receiving: asyncio.Task[None] | None = None
        self._bucket: TokenBucket | None = None

    @property
    def is_bound(self) -> bool:
        """Whether there is a session now."""
        return self._session is not None

    async def keep_bound(self) -> None:
        """Bind, and bind again whenever the session ends, with growing pauses. Until cancelled."""
        waits = pauses()
        while True:
            started = asyncio.get_running_loop().time()
            await self._bind_and_receive()
            if asyncio.get_running_loop().time() - started > _HELD_SECONDS:
                waits = pauses()
            # Not all instances at once when the operator comes back.
            await asyncio.sleep(next(waits) * random.uniform(0.5, 1.5))

    async def submit_all(self, messages: Sequence[OutgoingText]) -> list[SubmitResult]:
        """Submit at most `window` messages together; one result each, in order. Raises nothing."""
        give_up_seconds = asyncio.get_running_loop().time() + _OFFER_SECONDS
        return list(await asyncio.gather(*(self._submit(message, give_up_seconds) for message in messages)))

    async def _bind_and_receive(self) -> None:
        settings = self._settings
        client = smpp34.Client(
            settings.host,
            settings.port,
            settings.system_id,
            settings.password,
            bind_type=_TRANSCEIVER,
            tls=settings.tls,
            window_size=settings.window,
            connect_timeout_ms=_CONNECT_MS,
        )
        try:
            session = await client.connect()
            self._metrics.connects.labels("bound").inc()
            log.info("bound to the operator")
            self._receiving = asyncio.create_task(self._receive(session))
            self._set_session(session)
            # Ends with the session, or when `_drop` cancels it.
            await asyncio.wait({self._receiving})
            log.warning("session with the operator ended")
            with suppress(asyncio.CancelledError):
                self._receiving.result()
        except Exception as error:  # whatever it is, the way to the operator must be tried again
            self._metrics.connects.labels("failed").inc()
            log.warning("operator does not answer", error=str(error))
        finally:
            self._set_session(None)
            if self._receiving is not None:
                self._receiving.cancel()
            with suppress(smpp34.SmppError, TimeoutError):
                await asyncio.wait_for(client.stop(), _CLOSE_SECONDS)

    async def _receive(self, session: smpp34.Smsc) -> None:
        while isinstance(event := await session.next(), smpp34.DeliverSmEvent):
            self._on_delivery(event)

    def _set_session(self, session: smpp34.Smsc | None) -> None:
        self._session = session
        self._metrics.bound.set(session is not None)

    def _drop(self, session: smpp34.Smsc) -> None:
        """Give up a session that does not answer."""
        if self._session is session:
            self._set_session(None)
            if self._receiving is not None:
                self._receiving.cancel()

    async def _submit(self, message: OutgoingText, give_up_seconds: float) -> SubmitResult:
        clock = asyncio.get_running_loop().time
        result = SubmitResult(SubmitOutcome.NOT_TAKEN)
        for pause in pauses():
            await self._wait_turn()
            session = self._session
            if session is None:
                return result
            result = await self._submit_once(session, message)
            if result.outcome is not SubmitOutcome.NOT_TAKEN or clock() + pause > give_up_seconds:
                return result
            await asyncio.sleep(pause)
        raise RuntimeError("pauses end")  # unreachable: they are endless

    async def _wait_turn(self) -> None:
        now_seconds = asyncio.get_running_loop().time()
        if self._bucket is None:
            self._bucket = TokenBucket(self._settings.messages_per_second, now_seconds)
        await asyncio.sleep(self._bucket.take(now_seconds))

    async def _submit_once(self, session: smpp34.Smsc, message: OutgoingText) -> SubmitResult:
        try:
            with self._measured():
                response = await asyncio.wait_for(
                    self._call(session, message), self._settings.response_timeout_ms / 1000
                )
        except TimeoutError:
            self._drop(session)
            return SubmitResult(SubmitOutcome.UNCERTAIN)
        except smpp34.SmppError:
            # The session broke with the message in it: it may have arrived.
            return SubmitResult(SubmitOutcome.UNCERTAIN)
        if response.is_success:
            return SubmitResult(SubmitOutcome.TAKEN, response.message_id or "")
        if response.command_status in _COME_AGAIN:
            self._metrics.throttled.inc()
            return SubmitResult(SubmitOutcome.NOT_TAKEN, command_status=response.command_status)
        return SubmitResult(SubmitOutcome.REFUSED, command_status=response.command_status)

    async def _call(self, session: smpp34.Smsc, message: OutgoingText) -> smpp34.SubmitSmResp:
        source, source_ton, source_npi = _source(self._settings.source_address)
        return await session.submit_sm(
            message.destination.removeprefix("+"),
            message.text.payload,
            source_addr=source,
            source_addr_ton=source_ton,
            source_addr_npi=source_npi,
            dest_addr_ton=_INTERNATIONAL,
            dest_addr_npi=_ISDN,
            data_coding=message.text.data_coding,
            registered_delivery=1,
        )

    @contextmanager
    def _measured(self) -> Iterator[None]:
        with self._metrics.in_flight.track_inprogress(), self._metrics.submit_seconds.time():
            yield


def _source(address: str) -> tuple[str, int, int]:
    """Address, type of number and numbering plan of the sender."""
    if address.startswith("+"):
        return address[1:], _INTERNATIONAL, _ISDN
    if address.isdigit():
        return address, _NATIONAL_CODE, _ISDN
    return address, _ALPHANUMERIC, _NO_PLAN
