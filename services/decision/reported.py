"""Which outcomes were reported before: a key in Redis for each, beside its customer's others, for as long as a token is good."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol

from redis.exceptions import RedisError

from interlude.v1 import events_pb2
from services.decision.tokens import VALID_MS


class Commands(Protocol):
    """The way to Redis: the answers to several commands in one round trip, a refused one's an exception in its place. Raises
    `RedisError`."""

    def call_all(self, commands: Sequence[Sequence[str | bytes | int]]) -> list[Any]: ...


class ReportsUnavailable(Exception):
    """Redis did not answer, or failed a moment ago: whether an outcome was reported before is not known."""


class ReportedOutcomes:
    """As safe between threads as its `commands`."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    def claim(self, events: Sequence[events_pb2.AdEvent]) -> list[bool]:
        """For each event whether this is its first report, in one round trip; the next report of it will not be. Raises
        `ReportsUnavailable`."""
        try:
            answers = self._commands.call_all(
                [("SET", reported_key(event), 1, "NX", "PX", VALID_MS) for event in events]
            )
        except RedisError as error:
            raise ReportsUnavailable(str(error)) from error
        for answer in answers:
            if isinstance(answer, Exception):
                raise ReportsUnavailable(str(answer)) from answer
        return [answer is not None for answer in answers]

    def release(self, events: Sequence[events_pb2.AdEvent]) -> None:
        """Take claims back, of outcomes that found no room. Where Redis does not hear of it, they count as reported."""
        with suppress(RedisError):
            self._commands.call_all([("DEL", reported_key(event)) for event in events])


def reported_key(event: events_pb2.AdEvent) -> str:
    """Where it is kept that this outcome was reported; in one cluster slot with its customer's features."""
    return f"r:{{{event.customer_id}}}:{event.decision_id}:{event.kind}"
