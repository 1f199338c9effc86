"""A script in Redis, called by its hash and loaded where Redis does not know it."""

import hashlib
from collections.abc import Sequence
from importlib.resources import files
from typing import Any, Final, Protocol

from redis.exceptions import NoScriptError

Argument = str | bytes | int


class Commands(Protocol):
    """The way to Redis: the answers to several commands in one round trip, a refused one's a `ResponseError` in its place.
    Raises `RedisError`."""

    def call_all(self, commands: Sequence[Sequence[Argument]], timeout_seconds: float | None) -> list[Any]: ...


class Script:
    """One of the Lua files beside this module. It must be idempotent: it may run twice where its answer was lost."""

    def __init__(self, name: str) -> None:
        self._text: Final = files("interlude.contacts").joinpath(name).read_text()
        self._hash: Final = hashlib.sha1(self._text.encode(), usedforsecurity=False).hexdigest()

    def command(self, keys: Sequence[str], arguments: Sequence[Argument]) -> tuple[Argument, ...]:
        """The command that runs it once."""
        return "EVALSHA", self._hash, len(keys), *keys, *arguments

    def run(
        self, commands: Commands, calls: Sequence[tuple[Argument, ...]], timeout_seconds: float | None
    ) -> list[Any]:
        """The answers to `calls`, made by `command`, in one round trip; raises `RedisError` where any of them failed."""
        answers = commands.call_all(calls, timeout_seconds)
        if any(isinstance(answer, NoScriptError) for answer in answers):
            # A Redis that is new, was flushed or failed over.
            answers = commands.call_all([("SCRIPT", "LOAD", self._text), *calls], timeout_seconds)[1:]
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers
