"""The peers' own environments, from their hashed locks, in the user's cache: created when the first measurement needs them."""

import hashlib
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Final

from devstack.bootstrap import SetupFailed, ensure_uv, installer_environment
from devstack.places import REPOSITORY, cache_directory

_TAIL_LINES: Final = 5


class PeersMissing(Exception):
    """The peers cannot be had here. The message says why in one sentence, then may show the end of what the installer said."""


def ensure_environment(name: str) -> Path:
    """Folder of the programs in the environment of requirements/peers-<name>.txt. Raises PeersMissing."""
    lock = REPOSITORY / "requirements" / f"peers-{name}.txt"
    place = environment_place(name, lock)
    stamp = place / ".complete"
    if not stamp.is_file():
        print(f"bench: installing {name} into an environment of its own (half a minute, once)", flush=True)
        _create(place, lock)
        stamp.touch()
    return place / "bin"


def environment_place(name: str, lock: Path) -> Path:
    """Where it lies: another place for another lock, Python or kind of machine."""
    kind = f"{sys.platform} {platform.machine()} {platform.python_version()}"
    fingerprint = hashlib.sha256(kind.encode() + b"\0" + lock.read_bytes()).hexdigest()[:16]
    return cache_directory() / "peers" / f"{name}-{fingerprint}"


def _create(place: Path, lock: Path) -> None:
    try:
        uv = str(ensure_uv())
    except SetupFailed as error:
        raise PeersMissing(f"their installer cannot be had: {error}") from error
    _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(place)])
    command = [uv, "pip", "sync", "--quiet", "--require-hashes", "--only-binary", ":all:", "--compile-bytecode"]
    _run([*command, "--python", str(place / "bin" / "python"), str(lock)])


def _run(command: list[str]) -> None:
    environment = installer_environment(os.environ)
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        tail = "\n".join(done.stdout.splitlines()[-_TAIL_LINES:])
        raise PeersMissing(f"they cannot be installed (the first time needs the network):\n{tail}")
