"""Free loopback ports that stay ours."""

import random
import socket
from pathlib import Path
from typing import Final

LOOPBACK: Final = "127.0.0.1"
_LOWEST: Final = 15000
_EPHEMERAL_RANGE: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
_DEFAULT_EPHEMERAL_START: Final = 32768
_ATTEMPTS: Final = 200


def free_port() -> int:
    """A TCP port of the loopback interface that nothing listens on.

    It lies below the range from which the kernel takes ports for outgoing connections, so that none of those can take
    it while the part that owns it is being restarted. Raises OSError when no port is free.
    """
    highest = max(_ephemeral_start() - 1, _LOWEST + 1000)
    for _ in range(_ATTEMPTS):
        port = random.SystemRandom().randint(_LOWEST, highest)
        if _can_bind(port):
            return port
    raise OSError(f"no free port on {LOOPBACK} between {_LOWEST} and {highest}")


def is_open(port: int, timeout_s: float = 0.5) -> bool:
    """Whether something accepts connections on that loopback port."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=timeout_s):
            return True
    except OSError:
        return False


def _ephemeral_start() -> int:
    try:
        return int(_EPHEMERAL_RANGE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return _DEFAULT_EPHEMERAL_START


def _can_bind(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
