"""`python -m devstack up [--parts-only] | down | status`: the whole system in the background."""

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from devstack.endpoints import ENDPOINTS, render_table
from devstack.jars import JarsFailed
from devstack.java import JavaMissing
from devstack.places import REPOSITORY
from devstack.process import ProcessFailed
from devstack.stack import new_log_directory
from devstack.supervisor import AlreadyRunning, running_pid, supervise

_UP_TIMEOUT_S: Final = 180.0
_DOWN_TIMEOUT_S: Final = 40.0
_POLL_S: Final = 0.1
_TAIL_BYTES: Final = 4000


def up(*, parts_only: bool) -> None:
    """Starts the supervisor and returns when everything is ready; exits with the end of its log when it fails."""
    if running_pid() is not None:
        print(f"Interlude is running already ('make down' ends it):\n{_table()}")
        return
    ENDPOINTS.unlink(missing_ok=True)
    log_directory = new_log_directory()
    supervisor = _spawn(log_directory, parts_only=parts_only)
    _wait_up(supervisor, log_directory / "supervisor.log")
    print(f"Interlude is up ('make down' ends it):\n{_table()}")


def _table() -> str:
    return render_table() if ENDPOINTS.exists() else "  still starting"


def _spawn(log_directory: Path, *, parts_only: bool) -> subprocess.Popen[bytes]:
    log_directory.mkdir(parents=True)
    command = [sys.executable, "-m", "devstack", "supervise", "--log-directory", str(log_directory)]
    with (log_directory / "supervisor.log").open("ab") as log:
        return subprocess.Popen(
            command + ["--parts-only"] * parts_only,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=REPOSITORY,
            start_new_session=True,
        )


def _wait_up(supervisor: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _UP_TIMEOUT_S
    try:
        while not ENDPOINTS.exists():
            if supervisor.poll() is not None:
                sys.exit(f"Interlude did not start:\n{_tail(log)}")
            if time.monotonic() > deadline:
                supervisor.terminate()
                sys.exit(f"Interlude was not ready within {_UP_TIMEOUT_S:.0f} s:\n{_tail(log)}")
            time.sleep(_POLL_S)
    except KeyboardInterrupt:
        supervisor.terminate()
        supervisor.wait()
        raise


def _tail(log: Path) -> str:
    return log.read_bytes()[-_TAIL_BYTES:].decode("utf-8", "replace")


def down() -> None:
    """Ends what `up` started, and waits until it is gone."""
    pid = running_pid()
    if pid is None:
        print("Interlude is not running.")
        return
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _DOWN_TIMEOUT_S
    while running_pid() == pid:
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)  # its children are on a leash and go with it
        time.sleep(_POLL_S)
    print("Interlude is down.")


def status() -> None:
    """Prints where everything is; exits 1 when nothing runs."""
    if running_pid() is None:
        sys.exit("Interlude is not running.")
    print(_table())


def _supervise(log_directory: Path, *, parts_only: bool) -> None:
    try:
        supervise(log_directory, parts_only=parts_only)
    except AlreadyRunning:
        sys.exit("Interlude is being started by another process.")
    except (ProcessFailed, JarsFailed, JavaMissing) as error:
        sys.exit(str(error))


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m devstack", description=__doc__)
    parser.add_argument("command", choices=("up", "down", "status", "supervise"))
    parser.add_argument("--parts-only", action="store_true", help="Kafka, Redis and the SMS operator, no services")
    parser.add_argument("--log-directory", type=Path, default=None, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.command == "up":
        up(parts_only=given.parts_only)
    elif given.command == "down":
        down()
    elif given.command == "status":
        status()
    else:
        _supervise(given.log_directory or new_log_directory(), parts_only=given.parts_only)


if __name__ == "__main__":
    main()
