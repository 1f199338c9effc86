"""What is written in Rust: built once per content of its sources, into the user's cache. Standard library only."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from devstack.places import REPOSITORY, cache_directory

_TAIL_LINES: Final = 5

Command = Callable[[Path], Sequence[str]]
"""The build command for an empty directory; it leaves all that is to be kept in a folder `kept` there."""


class BuildFailed(Exception):
    """The build did not succeed; the message is the end of what it said."""


class Crate:
    """A crate of this repository, and the place in the cache for what is built from it."""

    def __init__(self, name: str, directory: Path, sources: Sequence[str], tools: Sequence[Path] = ()) -> None:
        """`sources` are patterns below `directory`; `tools` are files that say what it is built with."""
        self.manifest: Final = directory / "Cargo.toml"
        self._name = name
        self._directory = directory
        self._sources = sources
        self._tools = tools

    def fingerprint(self) -> str:
        """Sixteen hex digits that change with the sources, the tools that build them, and the kind of machine."""
        digest = hashlib.sha256(f"{sys.platform} {platform.machine()}".encode())
        files = [path for pattern in self._sources for path in sorted(self._directory.glob(pattern))]
        for path in (*files, *self._tools):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
        return digest.hexdigest()[:16]

    def built(self, pattern: str) -> Path | None:
        """The file of that name that was built from these sources, None while there is none."""
        return next(iter(self._kept().glob(pattern)), None)

    def build(self, command: Command, pattern: str, cargo: str, environment: Mapping[str, str]) -> Path:
        """Builds, a minute or two, and returns the file of that name. Raises BuildFailed."""
        final = self._kept()
        final.parent.mkdir(parents=True, exist_ok=True)
        path = os.pathsep.join((str(Path(cargo).parent), environment.get("PATH", "")))
        with tempfile.TemporaryDirectory(dir=final.parent, prefix="building-") as name:
            scratch = Path(name)
            done = subprocess.run(
                command(scratch),
                env={**environment, "PATH": path},
                capture_output=True,
                text=True,
                check=False,
                cwd=REPOSITORY,
            )
            if done.returncode != 0:
                raise BuildFailed("\n".join((done.stdout + done.stderr).splitlines()[-_TAIL_LINES:]))
            shutil.rmtree(final, ignore_errors=True)
            (scratch / "kept").rename(final)
        built = self.built(pattern)
        if built is None:
            raise BuildFailed(f"the build left no {pattern} behind")
        return built

    def _kept(self) -> Path:
        return cache_directory() / self._name / self.fingerprint()


def find_cargo(environment: Mapping[str, str] = os.environ) -> str | None:
    """Path of cargo, from PATH or where rustup puts it; None when there is none."""
    home = environment.get("CARGO_HOME") or str(Path(environment.get("HOME", "~")).expanduser() / ".cargo")
    return shutil.which("cargo", path=os.pathsep.join((environment.get("PATH", ""), f"{home}/bin")))
