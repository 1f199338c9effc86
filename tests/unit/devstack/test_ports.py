import socket
import sys
from pathlib import Path

import pytest

from devstack.ports import free_port, is_open


def test_a_free_port_can_be_listened_on_and_then_is_open() -> None:
    port = free_port()
    assert not is_open(port)
    with socket.create_server(("127.0.0.1", port)):
        assert is_open(port)


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="reads Linux's range of ports for outgoing connections"
)
def test_no_outgoing_connection_can_take_the_port_of_a_part_that_restarts() -> None:
    first_outgoing = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert max(free_port() for _ in range(50)) < first_outgoing
