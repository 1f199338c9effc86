"""The right to make the next generation: one rebuild at a time, also where one was killed or stood still."""

import threading
import time
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any, Final, NoReturn

import redis
from redis.exceptions import RedisError

from interlude.features.codec import VALUES_MARK
from interlude.features.generation import (
    GENERATION_KEY,
    GENERATION_OFFSETS_KEY,
    CorruptGeneration,
    Generation,
    decode_generation,
    encode_generation,
    encode_offsets,
)
from interlude.servicekit.errors import Unavailable
from interlude.servicekit.records import Place

CLAIM_KEY: Final = "rebuild"
HELD_MS: Final = 30_000
"""How long the claim of a rebuild that was killed keeps others off."""

_KEEP_SECONDS: Final = 2.0
_LOOK_SECONDS: Final = 0.5
_SWITCH: Final = files("services.enricher").joinpath("switch_generation.lua").read_text()
_KEEP: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""
_RELEASE: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""


class AnotherRebuild(Exception):
    """Somebody else makes the next generation, or has made it."""


class Claim:
    """A held claim: the `Fence` of the generation that is being made. Raises `Unavailable` while Redis does not answer."""

    key: Final = CLAIM_KEY

    def __init__(self, client: "redis.Redis", before: bytes, generation: Generation) -> None:
        """`before` is the document of the generation in use, empty where there is none."""
        self._client = client
        self._before = before
        self._keep_due_seconds = 0.0
        self.generation: Final = generation
        self.replaced: Final = decode_generation(before or None)
        self.value: Final = encode_generation(generation)

    @property
    def number(self) -> int:
        """The number of the generation that is being made."""
        return self.generation.number

    def take(self) -> bool:
        """Claim; False where somebody else holds one."""
        return bool(_run(lambda: self._client.set(CLAIM_KEY, self.value, nx=True, px=HELD_MS)))

    def broken(self) -> NoReturn:
        """A write was refused. Raises `AnotherRebuild`."""
        raise AnotherRebuild("this rebuild stood still for so long that its claim ended; nothing was switched")

    def keep(self) -> None:
        """Hold on to it: called between steps, none of which may take longer than `HELD_MS`. Raises `AnotherRebuild`."""
        if time.monotonic() >= self._keep_due_seconds:
            if not _run(lambda: self._client.eval(_KEEP, 1, CLAIM_KEY, self.value, HELD_MS)):
                self.broken()
            self._keep_due_seconds = time.monotonic() + _KEEP_SECONDS

    def switch(self, ends: Mapping[Place, int]) -> None:
        """Bring the generation into use; it includes everything before `ends`. Raises `AnotherRebuild`."""
        offsets = encode_offsets({f"{place.topic}/{place.partition}": end for place, end in ends.items()})
        keys = (GENERATION_KEY, GENERATION_OFFSETS_KEY, CLAIM_KEY)
        answer = _run(lambda: self._client.eval(_SWITCH, 3, *keys, self._before, self.value, offsets))
        if answer == 0 and _run(lambda: self._client.get(GENERATION_KEY)) != self.value:
            raise AnotherRebuild("another generation came into use meanwhile; nothing was switched")
        if answer == -1:
            self.broken()

    def in_use(self) -> bool:
        """Whether Redis still says that the generation is the one in use: a failover may have forgotten the switch."""
        return bool(_run(lambda: self._client.get(GENERATION_KEY)) == self.value)

    def release(self) -> None:
        """Let others claim."""
        _run(lambda: self._client.eval(_RELEASE, 1, CLAIM_KEY, self.value))


def claim(client: "redis.Redis", highest_known: int, now_ms: int, stop: threading.Event) -> Claim:
    """Claim the generation after the one in use and after `highest_known`. Waits for the claim of one that was killed to end.
    Raises `AnotherRebuild` where one is at work, `Unavailable`."""
    left_ms = _left_ms(client)
    while not stop.is_set():
        before = _run(lambda: client.get(GENERATION_KEY)) or b""
        try:
            number = max(decode_generation(before or None).number, highest_known) + 1
        except CorruptGeneration as error:
            raise Unavailable(str(error)) from error
        made = Claim(client, before, Generation(number, VALUES_MARK, now_ms))
        if made.take():
            return made
        last_ms, left_ms = left_ms, _left_ms(client)
        if left_ms > last_ms > 0:
            raise AnotherRebuild("another rebuild is at work; wait for its end")
        stop.wait(_LOOK_SECONDS)
    raise Unavailable("stopped")


def _left_ms(client: "redis.Redis") -> int:
    left_ms: int = _run(lambda: client.pttl(CLAIM_KEY))
    return left_ms


def _run(command: Callable[[], Any]) -> Any:
    try:
        return command()
    except RedisError as error:
        raise Unavailable(f"Redis does not answer: {type(error).__name__}") from error
