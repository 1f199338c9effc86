"""The Java parts: Kafka itself, and Spark's Kafka connector, in the user's cache. Standard library only.

`ivy.xml` says what is wanted; `jars.lock` says which files that is, one a line: configuration, organisation, module,
revision, SHA-256. Installing asks for exactly those files (no POMs, so 5 s instead of 45), checks every hash, and only
then puts the folder in its place. Ivy is the one that pyspark carries.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from devstack.java import JavaMissing, find_java
from devstack.places import cache_directory

LOCK: Final = Path(__file__).with_name("jars.lock")
KAFKA: Final = "kafka"
SPARK: Final = "spark"
_TIMEOUT_S: Final = 900
_TAIL_LINES: Final = 15
# The resolver's root is Maven's central repository unless a firm's mirror is named here.
_MIRROR_VARIABLE: Final = "INTERLUDE_MAVEN_MIRROR"


class JarsFailed(Exception):
    """The jars could not be fetched, or are not the ones of the lock. The message says what to do."""


@dataclass(frozen=True)
class Jar:
    """One line of the lock."""

    configuration: str
    organisation: str
    module: str
    revision: str
    sha256: str

    @property
    def file_name(self) -> str:
        """Name of the file in its configuration's folder."""
        return f"{self.module}-{self.revision}.jar"


def read_lock(lock: Path = LOCK) -> list[Jar]:
    """The jars of that lock file, in its order. Raises ValueError on a line that is not one."""
    lines = (line for line in lock.read_text().splitlines() if line and not line.startswith("#"))
    return [_parse(line) for line in lines]


def _parse(line: str) -> Jar:
    fields = line.split()
    if len(fields) != 5:
        raise ValueError(f"jars.lock: five fields expected: {line!r}")
    return Jar(*fields)


def jar_directory(configuration: str) -> Path:
    """Folder of that configuration's jars, KAFKA or SPARK; fetched now if it is not in the cache. Raises JarsFailed."""
    return ensure_jars() / configuration


def connector_jars() -> list[Path]:
    """The jars that Spark needs beyond those of pyspark to read from Kafka. Raises JarsFailed."""
    return sorted(jar_directory(SPARK).glob("*.jar"))


def cached_directory(lock: Path = LOCK) -> Path:
    """Where the jars of that lock are once they have been fetched."""
    return cache_directory() / "jars" / hashlib.sha256(lock.read_bytes()).hexdigest()[:16]


def ensure_jars(lock: Path = LOCK) -> Path:
    """The folder with one subfolder a configuration. Fetches it once per content of the lock. Raises JarsFailed."""
    final = cached_directory(lock)
    if final.is_dir():
        return final
    final.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=final.parent, prefix="fetching-") as directory:
        fetched = Path(directory) / "jars"
        _fetch(read_lock(lock), fetched, Path(directory))
        try:
            fetched.rename(final)
        except OSError:
            # Another process was quicker; what it put there has passed the same checks.
            if not final.is_dir():
                raise
    return final


def _fetch(jars: list[Jar], target: Path, scratch: Path) -> None:
    (scratch / "settings.xml").write_text(_settings())
    (scratch / "ivy.xml").write_text(_flat_module(jars))
    pattern = f"{target}/[conf]/[artifact]-[revision].[ext]"
    options = ["-settings", f"{scratch}/settings.xml", "-ivy", f"{scratch}/ivy.xml", "-retrieve", pattern]
    run_ivy([*options, "-confs", *sorted({jar.configuration for jar in jars})], scratch / "cache")
    verify(jars, target)


def verify(jars: Iterable[Jar], directory: Path) -> None:
    """Compares every jar below `directory` with its hash. Raises JarsFailed on the first that differs or is missing."""
    for jar in jars:
        path = directory / jar.configuration / jar.file_name
        if not path.is_file():
            raise JarsFailed(f"{jar.file_name} was not delivered: the network is needed once, then try again.")
        if sha256(path) != jar.sha256:
            raise JarsFailed(
                f"{jar.file_name} is not the file of jars.lock (its hash differs): do not use this source."
            )


def sha256(path: Path) -> str:
    """Hash of a file, in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def run_ivy(options: Sequence[str], cache: Path) -> None:
    """Runs pyspark's Ivy. Raises JarsFailed with the end of its output, JavaMissing without Java."""
    # The user's own ~/.ivy2 stays as it is: a cache of another resolver would be trusted unseen.
    command = [find_java(), "-jar", str(ivy_jar()), "-cache", str(cache), "-warn", *options]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise JarsFailed(
            f"Fetching the jars took over {_TIMEOUT_S} s: the network is needed once, try again."
        ) from error
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-_TAIL_LINES:])
        raise JarsFailed(f"Fetching Kafka's jars failed; the network is needed once:\n{tail}")


def ivy_jar() -> Path:
    """The Ivy that pyspark carries. Raises JarsFailed when pyspark is not installed."""
    spec = importlib.util.find_spec("pyspark")
    found = sorted(Path(spec.origin).parent.glob("jars/ivy-*.jar")) if spec and spec.origin else []
    if not found:
        raise JarsFailed("pyspark, which carries the tool that fetches the jars, is not installed: run 'make setup'.")
    return found[-1]


def _settings() -> str:
    mirror = os.environ.get(_MIRROR_VARIABLE)
    root = f' root="{mirror}"' if mirror else ""
    return (
        '<ivysettings><settings defaultResolver="maven"/><resolvers>'
        f'<ibiblio name="maven" m2compatible="true" usepoms="false" useMavenMetadata="false" checksums=""{root}/>'
        "</resolvers></ivysettings>"
    )


def _flat_module(jars: Sequence[Jar]) -> str:
    configurations = "".join(f'<conf name="{name}"/>' for name in sorted({jar.configuration for jar in jars}))
    dependencies = "".join(
        f'<dependency org="{jar.organisation}" name="{jar.module}" rev="{jar.revision}" '
        f'conf="{jar.configuration}-&gt;default" transitive="false"/>'
        for jar in jars
    )
    return (
        '<ivy-module version="2.0"><info organisation="interlude" module="jars"/>'
        f"<configurations>{configurations}</configurations><publications/>"
        f"<dependencies>{dependencies}</dependencies></ivy-module>"
    )


def main() -> None:
    """Fetches what is missing, for the set-up; exits with one sentence when it cannot."""
    try:
        ensure_jars()
    except (JarsFailed, JavaMissing) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
