"""The model store: a directory, or any URL that fsspec opens.

versions/<version>/model.onnx      written once, never changed
versions/<version>/manifest.json
versions/<version>/manifest.sig
champion.json                      {"version": …, "previous": …}: the one thing that changes, in one step
"""

import hashlib
import json
import os
import posixpath
import re
from dataclasses import dataclass
from typing import Any, Final

import fsspec

from interlude.models.manifest import Manifest, RefusedModel, verify

MODEL_BYTES_LIMIT: Final = 64 * 1024 * 1024
"""No model that answers within a millisecond is larger; a longer file is not read at all."""

_CHAMPION: Final = "champion.json"
_VERSION: Final = re.compile("[0-9a-f]{16}")
"""Names are parts of paths: nothing else gets there."""


@dataclass(frozen=True, slots=True)
class Champion:
    """Which version serves, and which served before it (empty: none)."""

    version: str
    previous: str = ""


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A version as it was read, signature and hash checked."""

    version: str
    manifest: Manifest
    model: bytes


class ModelStore:
    """Versions and the champion pointer under one URL. Reading checks; writing replaces whole files in one step."""

    def __init__(self, url: str) -> None:
        self._files: Any
        self._files, root = fsspec.core.url_to_fs(url)
        self._root: str = root

    def publish(self, manifest: Manifest, signature: bytes, model: bytes) -> str:
        """Write one version and return its name. Publishing the same content again changes nothing."""
        version = manifest.version
        if version not in self.versions():
            for name, content in (
                ("model.onnx", model),
                ("manifest.sig", signature),
                ("manifest.json", manifest.to_json()),
            ):
                # The manifest comes last: a version without one does not exist yet.
                self._write(self._version_path(version, name), content)
        return version

    def versions(self) -> list[str]:
        """Every complete version, in no particular order."""
        manifests = self._files.glob(posixpath.join(self._root, "versions", "*", "manifest.json"))
        return [path.split("/")[-2] for path in manifests]

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
        try:
            return _to_champion(self._files.cat_file(posixpath.join(self._root, _CHAMPION)))
        except FileNotFoundError:
            return None

    def promote(self, version: str) -> Champion:
        """Make `version` the champion; the one before it stays named for `rollback`. Raises `RefusedModel` if unknown."""
        if version not in self.versions():
            raise RefusedModel("version", f"version {version} is not in the store")
        current = self.champion()
        if current is not None and current.version == version:
            return current
        return self._point(Champion(version, current.version if current else ""))

    def rollback(self) -> Champion:
        """Make the previous champion the champion again. Raises `RefusedModel` when there is none."""
        current = self.champion()
        if current is None or not current.previous:
            raise RefusedModel("champion", "there is no previous champion to roll back to")
        return self._point(Champion(current.previous, current.version))

    def _point(self, champion: Champion) -> Champion:
        document = json.dumps({"version": champion.version, "previous": champion.previous})
        self._write(posixpath.join(self._root, _CHAMPION), document.encode())
        return champion

    def _version_path(self, version: str, name: str) -> str:
        return posixpath.join(self._root, "versions", version, name)

    def _read(self, version: str, name: str) -> bytes:
        if not _VERSION.fullmatch(version):
            raise RefusedModel("version", f"{version[:32]!a} is no version: expected 16 hex digits")
        path = self._version_path(version, name)
        try:
            size = self._files.size(path)
            if size is not None and size > MODEL_BYTES_LIMIT:
                raise RefusedModel("size", f"{name} has {size} bytes, limit {MODEL_BYTES_LIMIT}")
            content: bytes = self._files.cat_file(path)
        except FileNotFoundError as error:
            raise RefusedModel("missing", f"version {version} has no {name}") from error
        return content

    def _write(self, path: str, content: bytes) -> None:
        if "file" not in self._files.protocol:
            self._files.pipe_file(path, content)  # object stores replace an object in one step
            return
        self._files.makedirs(posixpath.dirname(path), exist_ok=True)
        unfinished = f"{path}.{os.getpid()}.tmp"
        with open(unfinished, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)


def _to_champion(document: bytes) -> Champion:
    try:
        fields = json.loads(document)
        version, previous = fields["version"], fields["previous"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RefusedModel("champion", "champion.json does not read") from error
    if not (isinstance(version, str) and isinstance(previous, str)):
        raise RefusedModel("champion", "champion.json names no versions")
    return Champion(version, previous)
