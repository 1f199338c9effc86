"""Records that Kafka did not take, kept in files until it does.

A directory of segments, `<number>.spill`, the lowest number the oldest. A segment is a row of records, each

    length of the rest (4 bytes, little-endian) | CRC-32 of the rest (4) | topic | 0 | key | 0 | value

written with one call of the system and never changed: what a killed process leaves behind is whole but for its last record.
Nothing is synced to the disk, so a machine that crashes may lose the newest seconds.

The space is bounded. When it is used up, the oldest segment goes: the newest decisions are worth most, their outcomes are yet
to come.
"""

import errno
import fcntl
import os
import struct
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import structlog

SEGMENT_BYTES: Final = 1024 * 1024
"""A segment is closed at this size, some 2,000 decisions: what is sent again, or dropped, at a time."""

_HEAD: Final = struct.Struct("<II")
_SUFFIX: Final = ".spill"
_LOCK_FILE: Final = "lock"

log = structlog.get_logger()


class SpilledRecord(NamedTuple):
    """A record but for its headers, which can be made again. A key has no byte 0."""

    topic: str
    key: bytes
    value: bytes


class SpillTaken(Exception):
    """Another process keeps its records in this directory, or it cannot be used at all."""


class Spill:
    """A bounded queue of records on disk. Safe between threads; for one process."""

    def __init__(self, directory: Path, bytes_limit: int, on_dropped: Callable[[str, int], None]) -> None:
        """Takes over what an earlier process left. `on_dropped(topic, count)` is told of records lost: no space, a full or broken
        disk, damage. Raises `SpillTaken`."""
        self._directory = directory
        self._bytes_limit = bytes_limit
        self._on_dropped = on_dropped
        self._lock = threading.Lock()
        self._lock_file = _take(directory)
        self._sizes = {path: path.stat().st_size for path in sorted(directory.glob(f"*{_SUFFIX}"))}
        self._next_number = 1 + max((int(path.stem) for path in self._sizes), default=0)
        self._open: tuple[Path, BinaryIO] | None = None

    def bytes_held(self) -> int:
        """Size of everything that waits."""
        return sum(list(self._sizes.values()))

    def append(self, records: Sequence[SpilledRecord]) -> None:
        """Keep records. What cannot be written is dropped and counted."""
        if not records:
            return
        rows = b"".join(map(_encode, records))
        with self._lock:
            try:
                self._write(rows)
            except OSError as error:
                log.error("cannot spill", reason=error.strerror)
                self._count_dropped(records)
            while self.bytes_held() > self._bytes_limit:
                self._drop_oldest()

    def oldest(self) -> Path | None:
        """The segment to be sent next, closed; None when nothing waits."""
        with self._lock:
            if not self._sizes:
                return None
            path = next(iter(self._sizes))
            if self._open is not None and self._open[0] == path:
                self._close_segment()
            return path

    def read(self, segment: Path) -> list[SpilledRecord]:
        """The records of a segment, oldest first, as far as it is whole; none when it was dropped meanwhile."""
        try:
            return list(_decode(segment.read_bytes()))
        except FileNotFoundError:
            return []

    def remove(self, segment: Path) -> None:
        """Forget a segment whose records are in Kafka."""
        with self._lock:
            self._sizes.pop(segment, None)
            segment.unlink(missing_ok=True)

    def close(self) -> None:
        """End the use of the directory; what waits stays for the next process."""
        with self._lock:
            self._close_segment()
            self._lock_file.close()

    def _write(self, rows: bytes) -> None:
        path, file = self._open or self._open_segment()
        size = self._sizes[path]
        written = 0
        try:
            written = file.write(rows)
        finally:
            if written == len(rows):
                self._sizes[path] = size + written
            else:
                # Half a record must not stand before whole ones.
                file.truncate(size)
                file.seek(size)
        if written < len(rows):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if size + written >= SEGMENT_BYTES:
            self._close_segment()

    def _open_segment(self) -> tuple[Path, BinaryIO]:
        path = self._directory / f"{self._next_number:012d}{_SUFFIX}"
        file: BinaryIO = path.open("xb", buffering=0)
        self._next_number += 1
        self._sizes[path] = 0
        self._open = (path, file)
        return self._open

    def _close_segment(self) -> None:
        if self._open is not None:
            self._open[1].close()
            self._open = None

    def _drop_oldest(self) -> None:
        path = next(iter(self._sizes))
        if self._open is not None and self._open[0] == path:
            self._close_segment()
        self._count_dropped(self.read(path))
        del self._sizes[path]
        path.unlink(missing_ok=True)

    def _count_dropped(self, records: Sequence[SpilledRecord]) -> None:
        for topic, count in Counter(record.topic for record in records).items():
            self._on_dropped(topic, count)


def _take(directory: Path) -> BinaryIO:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        file = (directory / _LOCK_FILE).open("wb")
    except OSError as error:
        raise SpillTaken(f"cannot write to {directory}: {error.strerror}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise SpillTaken(f"{directory} is used by another process") from error
    return file


def _encode(record: SpilledRecord) -> bytes:
    content = b"\0".join((record.topic.encode(), record.key, record.value))
    return _HEAD.pack(len(content), zlib.crc32(content)) + content


def _decode(rows: bytes) -> Iterator[SpilledRecord]:
    start = 0
    while start + _HEAD.size <= len(rows):
        length, checksum = _HEAD.unpack_from(rows, start)
        start += _HEAD.size
        content = rows[start : start + length]
        if len(content) < length or zlib.crc32(content) != checksum:
            log.error("the rest of a spilled segment is damaged", bytes=len(rows) - start + _HEAD.size)
            return
        topic, key, value = content.split(b"\0", 2)
        yield SpilledRecord(topic.decode(), key, value)
        start += length
