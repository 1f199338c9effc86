"""The process behind `make up`: holds the stack and the services, replaces a service that ends, leaves on SIGTERM."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from devstack.endpoints import (
    describe_stack,
    describe_system,
    remove_endpoints,
    write_endpoints,
    write_trainer_environment,
)
from devstack.places import RUN
from devstack.stack import Stack
from devstack.system import System

PID_FILE: Final = RUN / "supervisor.pid"
_WATCH_S: Final = 1.0


class AlreadyRunning(Exception):
    """Another supervisor of this clone holds the pid file."""


@contextmanager
def _pid_file() -> Iterator[None]:
    """Holds a lock on the pid file for as long as we live: a file without its lock is one of the past."""
    RUN.mkdir(parents=True, exist_ok=True)
    held = os.open(PID_FILE, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        raise AlreadyRunning from None
    try:
        os.ftruncate(held, 0)
        os.write(held, str(os.getpid()).encode())
        yield
    finally:
        PID_FILE.unlink(missing_ok=True)
        os.close(held)


def running_pid() -> int | None:
    """Process id of the supervisor of this clone, None when there is none; what a crash left behind does not count."""
    try:
        held = os.open(PID_FILE, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return int(PID_FILE.read_text() or 0) or None
    else:
        return None
    finally:
        os.close(held)


def supervise(log_directory: Path, *, parts_only: bool) -> None:
    """Runs until a signal. Raises AlreadyRunning, and whatever keeps the stack from starting."""
    with _pid_file():
        remove_endpoints()
        try:
            with Stack.start(log_directory=log_directory) as stack:
                if parts_only:
                    write_endpoints(describe_stack(stack))
                    _watch_nothing()
                with System.start(stack) as system, _described(system):
                    _watch(system)
        finally:
            remove_endpoints()


@contextmanager
def announced(system: System) -> Iterator[None]:
    """A system that another program started is as good as `make up`'s until the end of the block: its addresses are where the
    command line looks, and `make down` ends it. Raises AlreadyRunning."""
    with _pid_file(), _described(system):
        yield


@contextmanager
def _described(system: System) -> Iterator[None]:
    try:
        write_trainer_environment(system.environments.trainer())
        write_endpoints(describe_system(system))
        yield
    finally:
        remove_endpoints()


def _watch_nothing() -> None:
    while True:
        time.sleep(_WATCH_S)


def _watch(system: System) -> None:
    """Starts a service again when it has ended, once a second at most, and says so in the log."""
    while True:
        time.sleep(_WATCH_S)
        ended = [service for service, process in system.services.items() if not process.alive]
        for service in ended:
            print(
                f"{service.value} ended with code {system.services[service].exit_code}; starting it again", flush=True
            )
            system.launch(service)
        if ended:
            write_endpoints(describe_system(system))
