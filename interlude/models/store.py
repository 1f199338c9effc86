"""The model store: a directory, or any URL that fsspec opens.

versions/<version>/model.onnx      written once, never changed
versions/<version>/card.md         the same in words, where the trainer wrote it
versions/<version>/manifest.json
versions/<version>/manifest.sig
champion.json, moves/              which of them serve: see `pointer`
"""

import hashlib
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from interlude.models.files import StoreFiles
from interlude.models.manifest import Manifest, RefusedModel, verify
from interlude.models.pointer import Candidate, Champion, Move, Pointer, Stage

__all__ = ["MODEL_BYTES_LIMIT", "Candidate", "Champion", "ModelStore", "Move", "Stage", "StoredModel"]

MODEL_BYTES_LIMIT: Final = 64 * 1024 * 1024
"""No model that answers within a millisecond is larger; a longer file is not read at all."""

_VERSION: Final = re.compile("[0-9a-f]{16}")
"""Names are parts of paths: nothing else gets there."""
_NOTHING: Final[Mapping[str, bytes]] = {}


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A version as it was read, signature and hash checked."""

    version: str
    manifest: Manifest
    model: bytes


class ModelStore:
    """Versions and the champion pointer under one URL. Reading checks; writing replaces whole files in one step."""

    def __init__(self, url: str) -> None:
        self._files = StoreFiles(url)
        self._pointer = Pointer(self._files)

    def publish(
        self, manifest: Manifest, signature: bytes, model: bytes, papers: Mapping[str, bytes] = _NOTHING
    ) -> str:
        """Write one version and return its name. Publishing the same content again changes nothing.

        `papers` are files for people, by name; nobody checks them.
        """
        version = manifest.version
        if version not in self.versions():
            for name, content in papers.items():
                self._files.replace(_path(version, name), content)
            self._files.replace(_path(version, "model.onnx"), model)
            self._files.replace(_path(version, "manifest.sig"), signature)
            # The manifest comes last: a version without one does not exist yet.
            self._files.replace(_path(version, "manifest.json"), manifest.to_json())
        return version

    def versions(self) -> list[str]:
        """Every complete version, in no particular order."""
        return [name.split("/")[-2] for name in self._files.names("versions/*/manifest.json")]

    def load(self, version: str, public_key_base64: str) -> StoredModel:
        """Read one version. Raises `RefusedModel` for anything that is not exactly what was published and signed."""
        document = self._read(version, "manifest.json")
        verify(document, self._read(version, "manifest.sig"), public_key_base64)
        manifest = Manifest.from_json(document)
        if manifest.version != version:
            raise RefusedModel("version", f"the manifest is that of version {manifest.version}")
        manifest.check()
        model = self._read(version, "model.onnx")
        if hashlib.sha256(model).hexdigest() != manifest.model_sha256:
            raise RefusedModel("hash", "model.onnx is not the file that the manifest was made for")
        return StoredModel(version, manifest, model)

    def champion(self) -> Champion | None:
        """The pointer, None while nothing was promoted. Raises `RefusedModel` when it does not read."""
        return self._pointer.read()

    def moves(self) -> list[Move]:
        """Where the pointer has been, the newest first."""
        return self._pointer.moves()

    def promote(self, version: str, reason: str = "promoted") -> Champion:
        """Make `version` the champion; the one before it stays named for `rollback`, a candidate does not stay.

        Raises `RefusedModel` if unknown.
        """
        self._require(version)

        def change(current: Champion | None) -> Champion:
            if current is not None and current.version == version:
                return replace(current, candidate=None)
            return _succeeded(current, version)

        return self._move(change, reason)

    def rollback(self, reason: str = "rolled back") -> Champion:
        """Make the previous champion the champion again; a candidate does not stay.

        Raises `RefusedModel` when there is none, or when it was taken back itself: whoever rolls back in a hurry does not mean it.
        """

        def change(current: Champion | None) -> Champion:
            if current is None or not current.previous:
                raise RefusedModel("champion", "there is no previous champion to roll back to")
            if current.previous in current.barred:
                problem = f"version {current.previous} was taken back on probation; promote it by name, or another"
                raise RefusedModel("champion", problem)
            return _succeeded(current, current.previous)

        return self._move(change, reason)

    def try_out(
        self,
        version: str,
        stage: Stage,
        share: float,
        reason: str = "tried out",
        *,
        instead_of: Candidate | None = None,
    ) -> Champion:
        """Make `version` the candidate, in place of any other, or of `instead_of` alone. Raises `RefusedModel` if it is unknown, is
        the champion itself, or there is no champion to compare it with."""
        self._require(version)

        def change(current: Champion | None) -> Champion:
            _require_candidate(current, instead_of)
            if current is None:
                raise RefusedModel("champion", "there is no champion to compare a candidate with: promote one")
            if current.version == version:
                raise RefusedModel("version", f"version {version} is the champion")
            return replace(current, candidate=Candidate(version, stage, share, _now_ms()))

        return self._move(change, reason)

    def withdraw(self, reason: str = "withdrawn", candidate: Candidate | None = None) -> Champion:
        """End the trial of the candidate, or of this `candidate` alone; nothing else changes. Raises `RefusedModel` where there is
        no champion."""

        def change(current: Champion | None) -> Champion:
            _require_candidate(current, candidate)
            if current is None:
                raise RefusedModel("champion", "there is no champion, hence no candidate")
            return replace(current, candidate=None)

        return self._move(change, reason)

    def promote_candidate(self, candidate: Candidate, reason: str, control_share: float = 0.0) -> Champion:
        """Make `candidate` the champion: on probation where the one before it keeps a `control_share` of the listeners. Raises
        `RefusedModel` if it is no longer the candidate that it was."""

        def change(current: Champion | None) -> Champion:
            _require_candidate(current, candidate)
            successor = _succeeded(current, candidate.version)
            if not control_share or not successor.previous:
                return successor
            return replace(successor, candidate=Candidate(successor.previous, Stage.CONTROL, control_share, _now_ms()))

        return self._move(change, reason)

    def take_back(self, control: Candidate, reason: str) -> Champion:
        """Make the champion before, which is the `control` of the one on probation, the champion again, and bar that one. Raises
        `RefusedModel` if it is no longer the control that it was: what somebody did meanwhile stays."""

        def change(current: Champion | None) -> Champion:
            _require_candidate(current, control)
            restored = _succeeded(current, control.version)
            return replace(restored, barred=(*_without(restored.previous, restored.barred), restored.previous))

        return self._move(change, reason)

    def _move(self, change: Callable[[Champion | None], Champion], reason: str) -> Champion:
        return self._pointer.move(change, at_ms=_now_ms(), reason=reason)

    def _require(self, version: str) -> None:
        if version not in self.versions():
            raise RefusedModel("version", f"version {version} is not in the store")

    def _read(self, version: str, name: str) -> bytes:
        if not _VERSION.fullmatch(version):
            raise RefusedModel("version", f"{version[:32]!a} is no version: expected 16 hex digits")
        path = _path(version, name)
        try:
            size = self._files.size(path)
            if size is not None and size > MODEL_BYTES_LIMIT:
                raise RefusedModel("size", f"{name} has {size} bytes, limit {MODEL_BYTES_LIMIT}")
            return self._files.read(path)
        except FileNotFoundError as error:
            raise RefusedModel("missing", f"version {version} has no {name}") from error


def _require_candidate(current: Champion | None, candidate: Candidate | None) -> None:
    """Whoever judged a candidate judged that one, not one that somebody has put in its place since."""
    if candidate is not None and (current is None or current.candidate != candidate):
        raise RefusedModel("champion", f"version {candidate.version} is not the candidate any more")


def _succeeded(current: Champion | None, version: str) -> Champion:
    """`version` in the place of the champion, compared with nobody."""
    if current is None:
        return Champion(version)
    return Champion(version, current.version, barred=_without(version, current.barred))


def _without(version: str, versions: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(each for each in versions if each != version)


def _path(version: str, name: str) -> str:
    return f"versions/{version}/{name}"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
