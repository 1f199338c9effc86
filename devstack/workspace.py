"""Temporary directories that do not pile up: one that its owner left behind is removed by the next to come."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_PREFIX: Final = "interlude-"
_LOCK: Final = ".lock"


@contextmanager
def temporary_workspace() -> Iterator[Path]:
    """A fresh directory, removed afterwards. A lock held meanwhile tells others that it is in use."""
    _sweep()
    directory = Path(tempfile.mkdtemp(prefix=_PREFIX))
    lock = os.open(directory / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        os.close(lock)


def _sweep() -> None:
    """Removes the directories of runs that were killed: theirs is the lock that nobody holds any more."""
    for lock in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{_LOCK}"):
        if _is_abandoned(lock):
            shutil.rmtree(lock.parent, ignore_errors=True)


def _is_abandoned(lock: Path) -> bool:
    try:
        with lock.open("rb+") as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False  # in use, or another user's
    return True
