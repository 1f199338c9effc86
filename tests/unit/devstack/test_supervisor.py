import fcntl
from pathlib import Path

import pytest

from devstack import supervisor


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
