import sys
from pathlib import Path

import pytest

from bench.peers import environments
from bench.peers.environments import PeersMissing, ensure_environment, environment_place
from devstack.bootstrap import SetupFailed
from devstack.places import REPOSITORY


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(environments, "cache_directory", lambda: tmp_path)
    return tmp_path


def _program(path: Path, text: str) -> Path:
    path.write_text(f"#!{sys.executable}\n{text}\n")
    path.chmod(0o755)
    return path


def test_another_lock_has_another_place(tmp_path: Path) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text("one")
    first = environment_place("feast", lock)
    assert first == environment_place("feast", lock)
    lock.write_text("two")
    assert first != environment_place("feast", lock)


def test_what_is_complete_is_not_installed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = tmp_path / "calls"
    uv = _program(tmp_path / "uv", f"import pathlib, sys\nopen({str(calls)!r}, 'a').write(sys.argv[1] + '\\n')")
    monkeypatch.setattr(environments, "ensure_uv", lambda: uv)
    place = environment_place("mlserver", REPOSITORY / "requirements" / "peers-mlserver.txt")
    place.mkdir(parents=True)  # what the real `uv venv` does
    assert ensure_environment("mlserver") == ensure_environment("mlserver") == place / "bin"
    assert calls.read_text().split() == ["venv", "pip"]


def test_a_failed_installation_says_how_it_ended_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uv = _program(tmp_path / "uv", "raise SystemExit('no route to host')")
    monkeypatch.setattr(environments, "ensure_uv", lambda: uv)
    for _ in range(2):
        with pytest.raises(PeersMissing, match=r"needs the network\)(.|\n)*no route to host"):
            ensure_environment("feast")


def test_without_an_installer_there_are_no_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Path:
        raise SetupFailed("no network")

    monkeypatch.setattr(environments, "ensure_uv", fail)
    with pytest.raises(PeersMissing, match="no network"):
        ensure_environment("feast")
