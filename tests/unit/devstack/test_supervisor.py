import fcntl
import os
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from devstack import supervisor
from devstack.system import System


@pytest.fixture
def pid_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "supervisor.pid"
    monkeypatch.setattr(supervisor, "PID_FILE", path)
    return path


def test_without_a_pid_file_nothing_runs(pid_file: Path) -> None:
    assert not pid_file.exists()
    assert supervisor.running_pid() is None


def test_a_pid_file_that_a_crash_left_behind_does_not_count(pid_file: Path) -> None:
    pid_file.write_text("1")  # a process that certainly runs, and is not ours
    assert supervisor.running_pid() is None


def test_a_supervisor_holds_a_lock_on_its_pid_file(pid_file: Path) -> None:
    pid_file.write_text("4711")
    with pid_file.open("rb+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert supervisor.running_pid() == 4711
    assert supervisor.running_pid() is None


def test_another_programs_system_is_found_and_ended_as_that_of_make_up(
    pid_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files: list[str] = []
    monkeypatch.setattr(supervisor, "describe_system", lambda _: {})
    monkeypatch.setattr(supervisor, "write_endpoints", lambda _: files.append("endpoints"))
    monkeypatch.setattr(supervisor, "write_trainer_environment", lambda _: files.append("trainer"))
    monkeypatch.setattr(supervisor, "remove_endpoints", files.clear)
    system = cast(System, SimpleNamespace(environments=SimpleNamespace(trainer=dict)))
    with supervisor.announced(system):
        assert supervisor.running_pid() == os.getpid()
        assert files == ["trainer", "endpoints"]
        with pytest.raises(supervisor.AlreadyRunning), supervisor.announced(system):
            pytest.fail("two at once")
        assert files == ["trainer", "endpoints"]
    assert files == []
    assert not pid_file.exists()
