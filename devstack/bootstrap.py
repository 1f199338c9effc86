"""`make setup`: from a fresh clone to a full .venv and the Java parts. Standard library only, any Python 3.8+ can start it.

1. uv, from its hashed lock, into the user's cache (one file; the next clone finds it there)
2. .venv with exactly requirements/dev.txt, every hash checked, also those of what builds pyspark
3. the jars of Kafka and of Spark's connector, into the user's cache, and Kafka's classes ready for a quick start
4. the native front, where there is a Rust compiler; without it the decision service answers through grpcio
5. Spark's classes ready for a quick start
6. the command `interlude` in .venv/bin

Each step is skipped when its locks have not changed since.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from devstack import native
from devstack.class_archive import kafka_archive, spark_archive
from devstack.crates import BuildFailed, find_cargo
from devstack.jars import cached_directory
from devstack.java import JavaMissing, find_java
from devstack.places import LOGS, REPOSITORY, RUN, cache_directory

MINIMUM_PYTHON: Final = (3, 11)
_PYTHONS: Final = ("python3.13", "python3.12", "python3.11", "python3.14")
_VENV: Final = REPOSITORY / ".venv"
_STAMP: Final = _VENV / ".locks"
_NATIVE_STAMP: Final = _VENV / ".native"
_REQUIREMENTS: Final = REPOSITORY / "requirements"
_LOCKS: Final = tuple(_REQUIREMENTS / name for name in ("uv.txt", "build.txt", "dev.txt"))
_LOG: Final = LOGS / "setup.log"
_SECONDS: Final = RUN / "setup-seconds"  # for the demo's summary
_TAIL_LINES: Final = 15
_NETWORK: Final = (
    "The first set-up needs the network (Python packages, Java archives); check it and run 'make setup' again."
)


class SetupFailed(Exception):
    """The set-up cannot go on. The message says in one sentence what to do, then may show the end of the log."""


def main() -> None:
    """Runs the steps that are due; exits with the reason when one fails."""
    started = time.monotonic()
    try:
        find_java()
        python = find_python()
        if not _is_current():
            _install(python)
        _prepare_jars()
        _prepare_native()
        _prepare_spark()
        write_launcher(_VENV / "bin")
    except (SetupFailed, JavaMissing) as error:
        sys.exit(f"setup: {error}")
    seconds = time.monotonic() - started
    if seconds > 1:
        print(f"setup: ready after {seconds:.0f} s", flush=True)
        _SECONDS.parent.mkdir(parents=True, exist_ok=True)
        _SECONDS.write_text(f"{seconds:.1f}")


def find_python() -> str:
    """Path of a Python of at least MINIMUM_PYTHON: the one running this, else one on PATH. Raises SetupFailed."""
    if sys.version_info >= MINIMUM_PYTHON:
        return sys.executable
    for name in _PYTHONS:
        found = shutil.which(name)
        if found:
            return found
    raise SetupFailed(
        f"Python 3.11 or newer is needed and {sys.executable} is {platform.python_version()}: install python3.11 "
        "or newer with its venv module, or name one with 'make setup PYTHON=/path/to/python3.11'."
    )


def _fingerprint() -> str:
    return hashlib.sha256(b"\0".join(lock.read_bytes() for lock in _LOCKS)).hexdigest()


def _is_current() -> bool:
    return _STAMP.is_file() and _STAMP.read_text() == _fingerprint() and (_VENV / "bin" / "python").exists()


def _install(python: str) -> None:
    uv = ensure_uv(python)
    # The stamp goes first: an interrupted installation has to be repeated.
    _STAMP.unlink(missing_ok=True)
    _NATIVE_STAMP.unlink(missing_ok=True)  # what is not in the locks is removed
    if not (_VENV / "bin" / "python").exists():
        _step("creating .venv", [str(uv), "venv", "--clear", "--python", python, str(_VENV)])
    command = [str(uv), "pip", "sync", "--require-hashes", "--python", str(_VENV / "bin" / "python")]
    # Compiled once here instead of in every process where the environment forbids writing bytecode.
    command += [
        "--compile-bytecode",
        "--build-constraints",
        str(_REQUIREMENTS / "build.txt"),
        str(_REQUIREMENTS / "dev.txt"),
    ]
    _step("installing the Python packages (longest step, the first time)", command, hint=_NETWORK)
    _STAMP.write_text(_fingerprint())


def ensure_uv(python: str = sys.executable) -> Path:
    """The uv of requirements/uv.txt in the user's cache; fetched with pip when it is not there. Raises SetupFailed."""
    lock = _REQUIREMENTS / "uv.txt"
    kept = cache_directory() / "uv" / f"{hashlib.sha256(lock.read_bytes()).hexdigest()[:16]}-{platform.machine()}"
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as scratch:
            _fetch_uv(python, lock, Path(scratch))
            (Path(scratch) / "bin" / "uv").replace(kept)
    return kept


def _fetch_uv(python: str, lock: Path, scratch: Path) -> None:
    hint = (
        f"{python} cannot create virtual environments: install its venv module "
        "(Debian, Ubuntu: apt install python3-venv)."
    )
    _step("preparing the installer", [python, "-m", "venv", str(scratch)], hint=hint)
    command = [str(scratch / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
    _step("fetching uv", [*command, "--disable-pip-version-check", "-r", str(lock)], hint=_NETWORK)


def _prepare_jars() -> None:
    # In the new environment, because the tool that fetches them is in pyspark.
    python = str(_VENV / "bin" / "python")
    if not cached_directory().is_dir():
        _step("fetching Kafka and Spark's connector (53 MB)", [python, "-m", "devstack.jars"], hint=_NETWORK)
    if not kafka_archive().is_file():
        _step("preparing Kafka's quick start", [python, "-m", "devstack.warm_up", "kafka"])


def _prepare_spark() -> None:
    if not spark_archive().is_file():
        _step("preparing Spark's quick start", [str(_VENV / "bin" / "python"), "-m", "devstack.warm_up", "spark"])


def _prepare_native() -> None:
    """Once per content of native/, also when it cannot be had: a compiler that fails now would fail each time."""
    wanted = native.CRATE.fingerprint()
    if _NATIVE_STAMP.is_file() and _NATIVE_STAMP.read_text() == wanted:
        return
    try:
        wheel = native.built_wheel() or _build_native()
        command = [str(ensure_uv()), "pip", "install", "--offline", "--no-deps", "--reinstall"]
        _step("installing the native front", [*command, "--python", str(_VENV / "bin" / "python"), str(wheel)])
    except (SetupFailed, BuildFailed) as error:
        _write_log(["native front"], str(error))
        print(f"setup: the grpcio front will serve, the native one is not to be had: {str(error).splitlines()[0]}")
        print(f"setup: ({_LOG} says more; delete {_NATIVE_STAMP.relative_to(REPOSITORY)} to try again)")
    _NATIVE_STAMP.write_text(wanted)


def write_launcher(directory: Path) -> None:
    """The command `interlude`, for any working directory: the repository is not installed as a package."""
    python, repository = shlex.quote(str(directory / "python")), shlex.quote(str(REPOSITORY))
    text = f'#!/bin/sh\n# Written by set-up.\nPYTHONPATH={repository} exec {python} -P -m cli "$@"\n'
    launcher = directory / "interlude"
    if not (launcher.is_file() and launcher.read_text() == text):
        launcher.write_text(text)
    launcher.chmod(0o755)


def _build_native() -> Path:
    cargo = find_cargo()
    if cargo is None:
        raise BuildFailed("there is no Rust compiler (cargo) here.")
    python = _VENV / "bin" / "python"
    command = [str(ensure_uv()), "pip", "install", "--require-hashes", "--python", str(python)]
    _step("fetching what builds the native front", [*command, "-r", str(_REQUIREMENTS / "native.txt")], hint=_NETWORK)
    print("setup: building the native front (a minute or two, once) ... ", end="", flush=True)
    started = time.monotonic()
    wheel = native.build(_VENV / "bin" / "maturin", cargo, installer_environment(os.environ))
    print(f"{time.monotonic() - started:.0f} s", flush=True)
    return wheel


def _step(title: str, command: Sequence[str], hint: str = "") -> None:
    """One line for people, everything else into the log. Raises SetupFailed with `hint` and the end of the output."""
    print(f"setup: {title} ... ", end="", flush=True)
    started = time.monotonic()
    try:
        done = subprocess.run(
            command,
            cwd=REPOSITORY,
            env=installer_environment(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    except OSError as error:
        raise SetupFailed(f"{command[0]} does not start ({error}). {hint}") from error
    print(f"{time.monotonic() - started:.0f} s" if done.returncode == 0 else "failed", flush=True)
    _write_log(command, done.stdout)
    if done.returncode != 0:
        tail = "\n".join(done.stdout.splitlines()[-_TAIL_LINES:])
        raise SetupFailed(f"{hint or title + ' failed.'}\nThe end of {_LOG}:\n{tail}")


def installer_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of pip and uv: certificates of the machine trusted, no Python fetched, no venv of another project."""
    own = {"UV_SYSTEM_CERTS": "1", "UV_NO_PROGRESS": "1", "UV_PYTHON_DOWNLOADS": "never"}
    certificates = environment.get("SSL_CERT_FILE")
    if certificates:
        own["PIP_CERT"] = environment.get("PIP_CERT", certificates)
    return {**{name: value for name, value in environment.items() if name != "VIRTUAL_ENV"}, **own}


def _write_log(command: Sequence[str], output: str) -> None:
    _LOG.parent.mkdir(parents=True, exist_ok=True)
    with _LOG.open("a") as log:
        log.write(f"$ {' '.join(command)}\n{output}\n")


if __name__ == "__main__":
    main()
