"""How single calls become batches, and which of them are turned away."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence

from services.decision.collector import Ask, Collector, Expired, Overloaded
from services.decision.fronts import BATCH_LIMIT
from services.decision.methods import Reply

_PATH = "/s/m"


class _Desk:
    """A handler that echoes and takes its time by a clock of its own."""

    def __init__(self, seconds_a_batch: float = 0.0) -> None:
        self.now = 0.0
        self.batches: list[list[bytes]] = []
        self.left: list[float] = []
        self._seconds_a_batch = seconds_a_batch
        self.counters: dict[str, int] = {}

    def handle(self, path: str, bodies: Sequence[bytes], remaining_seconds: Sequence[float]) -> list[Reply]:
        """Echoes the batch."""
        assert path == _PATH
        self.batches.append(list(bodies))
        self.left += remaining_seconds
        self.now += self._seconds_a_batch
        return list(bodies)

    def serve(self, calls: Callable[[Ask], Awaitable[list[str]]], in_flight_limit: int = 1000) -> list[str]:
        """What `calls` gives, run on a loop."""

        async def run() -> list[str]:
            collector = Collector(self.handle, in_flight_limit, lambda: self.now)
            ends = await calls(collector.asking(_PATH))
            assert collector.in_flight == 0
            self.counters = dict(collector.counters)
            return ends

        return asyncio.run(run())


async def _end(ask: Ask, body: bytes = b"x", remaining_seconds: float | None = None) -> str:
    try:
        reply = await ask(body, remaining_seconds)
    except (Overloaded, Expired) as refusal:
        return str(refusal) or "expired"
    assert reply == body
    return "answered"


async def _together(ask: Ask, count: int) -> list[str]:
    return list(await asyncio.gather(*(_end(ask, b"%d" % place) for place in range(count))))


def test_calls_that_arrive_together_are_answered_together_up_to_the_limit() -> None:
    desk = _Desk()
    assert set(desk.serve(lambda ask: _together(ask, BATCH_LIMIT + 6))) == {"answered"}
    assert [len(batch) for batch in desk.batches] == [BATCH_LIMIT, 6]
    assert set(desk.left) == {math.inf}
    assert desk.counters == {"received": BATCH_LIMIT + 6, "answered": BATCH_LIMIT + 6}


def test_more_than_may_be_in_flight_are_refused() -> None:
    desk = _Desk()
    ends = desk.serve(lambda ask: _together(ask, 5), in_flight_limit=2)
    assert sorted(ends) == ["answered"] * 2 + ["too many calls in flight"] * 3
    assert desk.counters["refused_in_flight"] == 3


def test_nobody_joins_a_line_whose_oldest_has_waited_too_long() -> None:
    desk = _Desk(seconds_a_batch=0.021)

    async def calls(ask: Ask) -> list[str]:
        early = asyncio.ensure_future(_together(ask, 2 * BATCH_LIMIT))
        while not desk.batches:
            await asyncio.sleep(0)
        late = await _end(ask)  # the second half waits since before the first was answered
        afterwards = [*await early, late]
        return [*afterwards, await _end(ask)]

    ends = desk.serve(calls)
    assert ends == ["answered"] * 2 * BATCH_LIMIT + ["calls wait too long", "answered"]
    assert desk.counters["refused_queue"] == 1


def test_a_call_whose_deadline_passed_in_the_line_is_never_begun() -> None:
    desk = _Desk(seconds_a_batch=0.01)

    async def calls(ask: Ask) -> list[str]:
        patient = [_end(ask) for _ in range(BATCH_LIMIT)]
        *_, hurried = await asyncio.gather(*patient, _end(ask, b"hurried", 0.005))
        return [hurried]

    assert desk.serve(calls) == ["expired"]
    assert desk.batches == [[b"x"] * BATCH_LIMIT]
    assert desk.counters["expired"] == 1


def test_an_answer_after_the_deadline_is_late() -> None:
    desk = _Desk(seconds_a_batch=0.01)

    async def calls(ask: Ask) -> list[str]:
        return [await _end(ask, b"x", 0.005)]

    desk.serve(calls)
    assert desk.counters == {"received": 1, "late": 1}


def test_a_caller_who_has_gone_is_not_asked_for() -> None:
    desk = _Desk()

    async def calls(ask: Ask) -> list[str]:
        gone = asyncio.ensure_future(_end(ask, b"gone"))
        stays = asyncio.ensure_future(_end(ask, b"stays"))
        await asyncio.sleep(0)
        gone.cancel()
        return [await stays]

    assert desk.serve(calls) == ["answered"]
    assert desk.batches == [[b"stays"]]
    assert desk.counters == {"received": 2, "cancelled": 1, "answered": 1}
