"""Files of the model store: read whole, replaced whole, or created where there was none, each in one step."""

import fcntl
import os
import posixpath
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import fsspec


class StoreFiles:
    """What lies under one URL that fsspec opens; names are paths below it."""

    def __init__(self, url: str) -> None:
        self._system: Any
        self._system, root = fsspec.core.url_to_fs(url)
        self._root: str = root

    def read(self, name: str) -> bytes:
        """The content. Raises `FileNotFoundError`."""
        content: bytes = self._system.cat_file(self._path(name))
        return content

    def size(self, name: str) -> int | None:
        """Bytes of it, None where the store does not say. Raises `FileNotFoundError`."""
        size: int | None = self._system.size(self._path(name))
        return size

    def names(self, pattern: str) -> list[str]:
        """The names that match, in no particular order; asked of the store each time, never of a cache."""
        self._system.invalidate_cache()
        found = self._system.glob(self._path(pattern))
        return [path[path.index(self._root) + len(self._root) :].lstrip("/") for path in found]

    def replace(self, name: str, content: bytes) -> None:
        """Write it; whoever reads sees all of the old content or all of the new."""
        path = self._path(name)
        if not self._is_local:
            self._system.pipe_file(path, content)  # object stores replace an object in one step
            return
        unfinished = self._unfinished(path, content)
        os.replace(unfinished, path)

    def create(self, name: str, content: bytes) -> bool:
        """Write it whole unless there is such a file already; of several at once one gets True."""
        path = self._path(name)
        if not self._is_local:
            try:
                self._system.pipe_file(path, content, mode="create")
            except FileExistsError:
                return False
            return True
        unfinished = self._unfinished(path, content)
        try:
            os.link(unfinished, path)
        except FileExistsError:
            return False
        finally:
            os.unlink(unfinished)
        return True

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Hold a lock of that name, which ends with the process; on object stores, which have none, this does nothing."""
        if not self._is_local:
            yield
            return
        path = self._path(name)
        os.makedirs(posixpath.dirname(path), exist_ok=True)
        with open(path, "a", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @property
    def _is_local(self) -> bool:
        return "file" in self._system.protocol

    def _path(self, name: str) -> str:
        return posixpath.join(self._root, name)

    def _unfinished(self, path: str, content: bytes) -> str:
        os.makedirs(posixpath.dirname(path), exist_ok=True)
        unfinished = f"{path}.{os.getpid()}.tmp"
        with open(unfinished, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        return unfinished
