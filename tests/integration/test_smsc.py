"""The SMS operator speaks SMPP: ids, receipts, throttling, refusals, and a book of what it accepted."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import smpp34
from smpp34 import _smpp34 as codes

from devstack.smsc.behaviour import SmscSettings
from devstack.smsc.part import SmscServer
from devstack.smsc.record import read_messages
from devstack.stack import Part, Stack

_DEADLINE_S = 20.0
_RECEIPT = 0x04


@asynccontextmanager
async def _bound(operator: SmscServer, system_id: str = "interlude") -> AsyncIterator[smpp34.Smsc]:
    client = smpp34.Client(operator.host, operator.port, system_id, operator.settings.password, bind_type="TRX")
    try:
        yield await client.connect()
    finally:
        await client.stop()


async def _send(session: smpp34.Smsc, destination: str) -> smpp34.SubmitSmResp:
    return await session.submit_sm(destination, b"Try Gold", source_addr="Interlude", registered_delivery=1)


async def _receipt(session: smpp34.Smsc) -> smpp34.DeliverSmEvent:
    event = await asyncio.wait_for(session.next(), _DEADLINE_S)
    assert isinstance(event, smpp34.DeliverSmEvent)
    return event


def test_an_accepted_message_gets_an_id_a_receipt_and_a_line_in_the_book() -> None:
    async def scenario(operator: SmscServer) -> None:
        async with _bound(operator) as session:
            answer = await _send(session, "15550100")
            receipt = await _receipt(session)
        assert answer.is_success
        assert receipt.esm_class == _RECEIPT
        assert receipt.source_addr == "15550100"
        assert receipt.short_message.startswith(f"id:{answer.message_id} sub:001 dlvrd:001 ".encode())
        assert b"stat:DELIVRD err:000" in receipt.short_message
        [message] = read_messages(operator.record)
        assert (message.message_id, message.destination, message.text) == (answer.message_id, "15550100", "Try Gold")

    with Stack.start({Part.SMSC}) as own:
        asyncio.run(scenario(own.smsc))


def test_settings_decide_who_is_throttled_refused_or_out_of_reach() -> None:
    async def scenario(operator: SmscServer) -> None:
        async with _bound(operator) as session:
            undeliverable = await _send(session, "1555077")
            assert b"stat:UNDELIV" in (await _receipt(session)).short_message
            refused = await _send(session, "1555066")
            throttled = await _send(session, "1555000")
        assert undeliverable.is_success
        assert refused.command_status == codes.ESME_RINVDSTADR
        assert throttled.command_status == codes.ESME_RTHROTTLED
        assert [message.destination for message in read_messages(operator.record)] == ["1555077"]

    settings = SmscSettings(throttle_every=3, refuse_suffix="66", undeliverable_suffix="77", receipt_delay_ms=1)
    with Stack.start({Part.SMSC}, smsc=settings) as own:
        asyncio.run(scenario(own.smsc))


def test_a_stranger_is_unbound() -> None:
    async def scenario(operator: SmscServer) -> None:
        async with _bound(operator, "stranger") as session:
            event = await asyncio.wait_for(session.next(), _DEADLINE_S)
        assert isinstance(event, smpp34.Disconnected)
        assert read_messages(operator.record) == []

    with Stack.start({Part.SMSC}) as own:
        asyncio.run(scenario(own.smsc))


def test_the_book_outlives_a_restart() -> None:
    async def scenario(operator: SmscServer) -> None:
        async with _bound(operator) as session:
            assert (await _send(session, "15550100")).is_success

    with Stack.start({Part.SMSC}) as own:
        asyncio.run(scenario(own.smsc))
        own.restart(Part.SMSC)
        asyncio.run(scenario(own.smsc))
        assert len(read_messages(own.smsc.record)) == 2
