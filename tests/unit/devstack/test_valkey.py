import stat
from pathlib import Path

import pytest

from devstack.valkey import find_server


def _server(directory: Path, version: str) -> str:
    server = directory / "redis-server"
    server.write_text(f"#!/bin/sh\necho 'Redis server v={version} sha=00000000'\n")
    server.chmod(server.stat().st_mode | stat.S_IXUSR)
    return str(server)


def test_a_recent_server_on_path_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    server = _server(tmp_path, "7.2.4")
    assert find_server() == server


@pytest.mark.parametrize("version", ["5.0.14", "unknown"])
def test_an_old_one_gives_way_to_the_wheel(version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    server = _server(tmp_path, version)
    assert find_server() != server
    assert Path(find_server()).name == "valkey-server"
