"""`make locks`: writes the hashed locks from pyproject.toml and ivy.xml. Needs the network; run it after changing either."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from devstack.bootstrap import ensure_uv
from devstack.jars import KAFKA, LOCK, SPARK, Jar, run_ivy, sha256
from devstack.places import REPOSITORY

_REQUIREMENTS: Final = REPOSITORY / "requirements"
_EXTRAS: Final = ("decision", "enricher", "trainer", "tracking", "sms", "devstack", "dev")
_INPUTS: Final = ("build", "native", "uv", "peers-feast", "peers-mlserver")
_HEADER: Final = (
    "# Written by `make locks` from ivy.xml: configuration, organisation, module, revision, SHA-256 of the jar.\n"
)


def lock_requirements() -> None:
    """requirements/<extra>.txt for every extra, the locks of what builds and installs them, and the bench's peers'."""
    for extra in _EXTRAS:
        _compile("pyproject.toml", extra, ["--extra", extra, "--no-emit-package", "interlude"])
    for name in _INPUTS:
        _compile(f"requirements/{name}.in", name, [])


def _compile(source: str, name: str, options: list[str]) -> None:
    print(f"requirements/{name}.txt", flush=True)
    command = [str(ensure_uv()), "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"]
    command += ["--generate-hashes", "--no-emit-index-url", "--system-certs", "--custom-compile-command", "make locks"]
    command += [*options, source, "--output-file", str(_REQUIREMENTS / f"{name}.txt")]
    subprocess.run(command, cwd=REPOSITORY, check=True)


def lock_jars() -> None:
    """jars.lock, from a full resolution of ivy.xml."""
    print("devstack/jars.lock", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        pattern = f"{scratch}/jars/[conf]/[organisation]/[module]/[revision]/[artifact].[ext]"
        options = ["-ivy", str(LOCK.with_name("ivy.xml")), "-types", "jar", "bundle", "-retrieve", pattern]
        run_ivy([*options, "-confs", KAFKA, SPARK], Path(scratch) / "cache")
        jars = sorted(_line(_locked(path, Path(scratch) / "jars")) for path in Path(scratch).glob("jars/*/*/*/*/*.jar"))
    LOCK.write_text(_HEADER + "\n".join(jars) + "\n")


def _locked(path: Path, root: Path) -> Jar:
    configuration, organisation, module, revision, _ = path.relative_to(root).parts
    return Jar(configuration, organisation, module, revision, sha256(path))


def _line(jar: Jar) -> str:
    return f"{jar.configuration} {jar.organisation} {jar.module} {jar.revision} {jar.sha256}"


def check_hosts() -> None:
    """Exits when a lock names a host or a local path: locks have to work behind any mirror."""
    for lock in [*_REQUIREMENTS.glob("*.txt"), LOCK]:
        found = re.search(r"https?://\S+|file:\S+", lock.read_text())
        if found:
            sys.exit(f"{lock.name} names {found.group()}")


if __name__ == "__main__":
    lock_requirements()
    lock_jars()
    check_hosts()
