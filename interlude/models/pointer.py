"""Which versions serve: one document, moved in one step, with a record of every move.

champion.json            the newest move: the one file that services read
moves/<serial>.json      every move there was, each written once, with when and why

A move takes the next serial number by creating its record, which one of several can do, and then replaces `champion.json`.
A mover that was killed in between has moved all the same: the next one finds its record and finishes it first.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from interlude.models.files import StoreFiles
from interlude.models.manifest import RefusedModel

_HEAD: Final = "champion.json"
_LOCK: Final = "champion.lock"


class Stage(StrEnum):
    """How far a candidate has come."""

    SHADOW = "shadow"
    """It scores beside the champion, and its scores decide nothing."""
    CANARY = "canary"
    """It decides for a share of the listeners."""
    CONTROL = "control"
    """It was the champion and keeps a share of the listeners, while its successor is on probation."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version that is compared with the champion. It decides for `share` of the listeners, except in shadow."""

    version: str
    stage: Stage
    share: float
    since_ms: int
    """When this stage began, epoch ms."""


@dataclass(frozen=True, slots=True)
class Champion:
    """Which version serves, which served before it (empty: none), and which one it is compared with (None: none)."""

    version: str
    previous: str = ""
    candidate: Candidate | None = None
    barred: tuple[str, ...] = ()
    """Versions that were taken back on probation: they come into service again only by name."""
    serial: int = field(default=0, compare=False)
    """How many moves there have been."""


@dataclass(frozen=True, slots=True)
class Move:
    """One record: what the pointer was moved to, when (epoch ms) and why."""

    champion: Champion
    at_ms: int
    reason: str


class Pointer:
    """The champion pointer of one store. Safe between processes."""

    def __init__(self, files: StoreFiles) -> None:
        self._files = files

    def read(self) -> Champion | None:
        """What serves, None while nothing was promoted. Raises `RefusedModel` when it does not read."""
        try:
            return _to_champion(self._files.read(_HEAD))
        except FileNotFoundError:
            return None

    def move(self, change: Callable[[Champion | None], Champion], *, at_ms: int, reason: str) -> Champion:
        """Point to what `change` makes of the present pointer; where that is no change, nothing is written.

        `change` is called again when somebody else moved meanwhile. Raises what it raises, and `RefusedModel`.
        """
        with self._files.alone(_LOCK):
            while True:
                current, newest = self._settled()
                target = change(current)
                if target == current:
                    return current
                target = replace(target, serial=newest + 1)
                if self._files.create(_record(target.serial), _to_document(target, at_ms, reason)):
                    self._files.replace(_HEAD, _to_document(target, at_ms, reason))
                    return target

    def moves(self) -> list[Move]:
        """Every move, the newest first. Raises `RefusedModel` for a record that does not read."""
        return [self._move(serial) for serial in sorted(self._serials(), reverse=True)]

    def _settled(self) -> tuple[Champion | None, int]:
        """The pointer after every move that was begun, and the newest serial number."""
        current = self.read()
        newest = max(self._serials(), default=0)
        if newest == (current.serial if current else 0) + 1:
            self._files.replace(_HEAD, self._files.read(_record(newest)))
            current = self.read()
        # Anything else is a pointer that somebody put there by hand or from a backup: it is what they want.
        return current, max(newest, current.serial if current else 0)

    def _serials(self) -> list[int]:
        return [int(name.rpartition("/")[2].removesuffix(".json")) for name in self._files.names("moves/*.json")]

    def _move(self, serial: int) -> Move:
        document = self._files.read(_record(serial))
        fields = json.loads(document)
        return Move(_to_champion(document), fields["at_ms"], fields["reason"])


def _record(serial: int) -> str:
    return f"moves/{serial:08d}.json"


def _to_document(champion: Champion, at_ms: int, reason: str) -> bytes:
    return json.dumps({**asdict(champion), "at_ms": at_ms, "reason": reason}).encode()


def _to_champion(document: bytes) -> Champion:
    try:
        fields = json.loads(document)
        version, previous = fields["version"], fields["previous"]
        candidate, serial = _to_candidate(fields.get("candidate")), fields.get("serial", 0)
        barred = _to_names(fields.get("barred", []))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RefusedModel("champion", "champion.json does not read") from error
    if not (isinstance(version, str) and isinstance(previous, str) and isinstance(serial, int)):
        raise RefusedModel("champion", "champion.json names no versions")
    return Champion(version, previous, candidate, barred, serial)


def _to_candidate(fields: dict[str, Any] | None) -> Candidate | None:
    """Raises `ValueError`, `KeyError`, `TypeError`."""
    if fields is None:
        return None
    version, share, since_ms = fields["version"], fields["share"], fields["since_ms"]
    if not (isinstance(version, str) and isinstance(share, int | float) and 0 <= share <= 1):
        raise ValueError("no version, or a share that is none")
    return Candidate(version, Stage(fields["stage"]), float(share), int(since_ms))


def _to_names(values: object) -> tuple[str, ...]:
    """Raises `ValueError`."""
    if not (isinstance(values, list) and all(isinstance(value, str) for value in values)):
        raise ValueError("no list of versions")
    return tuple(values)
