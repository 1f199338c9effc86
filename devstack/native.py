"""The native front (`native/`): built once per content of its sources, where there is a Rust compiler. Standard library only.

Without one, or when the build fails, nothing is lost but speed: the decision service then answers through grpcio.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from devstack.places import REPOSITORY, cache_directory

_CRATE: Final = REPOSITORY / "native"
_SOURCES: Final = ("Cargo.toml", "pyproject.toml", "batchfront.pyi", "src/*.rs")
_TAIL_LINES: Final = 5


class NativeFailed(Exception):
    """The build did not succeed; the message is the end of what it said."""


def find_cargo(environment: Mapping[str, str] = os.environ) -> str | None:
    """Path of cargo, from PATH or where rustup puts it; None when there is none."""
    home = environment.get("CARGO_HOME") or str(Path(environment.get("HOME", "~")).expanduser() / ".cargo")
    return shutil.which("cargo", path=os.pathsep.join((environment.get("PATH", ""), f"{home}/bin")))


def fingerprint() -> str:
    """Sixteen hex digits that change with the sources, the tool that builds them, and the kind of machine."""
    digest = hashlib.sha256(f"{sys.platform} {platform.machine()}".encode())
    files = [path for pattern in _SOURCES for path in sorted(_CRATE.glob(pattern))]
    for path in (*files, REPOSITORY / "requirements" / "native.txt"):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def built_wheel() -> Path | None:
    """The wheel of these sources in the user's cache, None while there is none."""
    return next(iter(_directory().glob("*.whl")), None)


def build(maturin: Path, cargo: str, environment: Mapping[str, str]) -> Path:
    """Builds the wheel into the user's cache, a minute on two cores. Raises NativeFailed."""
    final = _directory()
    final.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=final.parent, prefix="building-") as scratch:
        command = [str(maturin), "build", "--release", "--quiet", "--manifest-path", str(_CRATE / "Cargo.toml")]
        command += ["--target-dir", f"{scratch}/target", "--out", f"{scratch}/wheel"]
        path = os.pathsep.join((str(Path(cargo).parent), environment.get("PATH", "")))
        done = subprocess.run(
            command, env={**environment, "PATH": path}, capture_output=True, text=True, check=False, cwd=REPOSITORY
        )
        if done.returncode != 0:
            raise NativeFailed("\n".join((done.stdout + done.stderr).splitlines()[-_TAIL_LINES:]))
        shutil.rmtree(final, ignore_errors=True)
        Path(f"{scratch}/wheel").rename(final)
    wheel = built_wheel()
    if wheel is None:
        raise NativeFailed("maturin left no wheel behind")
    return wheel


def _directory() -> Path:
    return cache_directory() / "native" / fingerprint()
