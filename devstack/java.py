"""Finds the Java that Kafka and Spark run on. Standard library only."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

MINIMUM_MAJOR = 17
INSTALL_HINT = (
    "install a JRE (Debian, Ubuntu: openjdk-17-jre-headless; macOS: openjdk@17 from Homebrew) or point JAVA_HOME at one"
)


class JavaMissing(Exception):
    """No usable Java. The message is one sentence that says what to install."""


def find_java() -> str:
    """Path of a `java` of at least MINIMUM_MAJOR, from JAVA_HOME, else from PATH.

    Raises JavaMissing when there is none or when it is too old.
    """
    java = _candidate()
    if java is None:
        raise JavaMissing(f"Java {MINIMUM_MAJOR} or newer is needed and none was found: {INSTALL_HINT}.")
    major = java_major(java)
    if major is None:
        raise JavaMissing(f"{java} does not run ('{java} -version' failed): {INSTALL_HINT}.")
    if major < MINIMUM_MAJOR:
        raise JavaMissing(f"Java {MINIMUM_MAJOR} or newer is needed and {java} is Java {major}: {INSTALL_HINT}.")
    return java


def _candidate() -> str | None:
    home = os.environ.get("JAVA_HOME")
    if home and (Path(home) / "bin" / "java").is_file():
        return str(Path(home) / "bin" / "java")
    return shutil.which("java")


def java_major(java: str) -> int | None:
    """Major version of that executable, None when it does not run or says something else."""
    try:
        said = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse_major(said.stderr + said.stdout)


def parse_major(version_text: str) -> int | None:
    """17 from 'openjdk version "17.0.15"', 8 from 'java version "1.8.0_292"', None from anything else."""
    found = re.search(r'version "(?:1\.)?(\d+)', version_text)
    return int(found.group(1)) if found else None
