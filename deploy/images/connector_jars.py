"""Puts Spark's Kafka connector among pyspark's own jars: `python -m deploy.images.connector_jars`, run while the image is built.

The files and their hashes are those of devstack/jars.lock, fetched by the same code as on a developer's machine.
"""

import importlib.util
import shutil
import sys
import tempfile
from pathlib import Path

from devstack.jars import LOCK, SPARK, JarsFailed, ensure_jars
from devstack.java import JavaMissing


def connector_lines(lock: str) -> str:
    """The part of a lock file that is the connector; the broker's jars have no place in an image of ours."""
    return "".join(f"{line}\n" for line in lock.splitlines() if line.startswith(f"{SPARK} "))


def install_connector(target: Path) -> list[Path]:
    """Copies the connector's jars into `target` and returns them there. Raises JarsFailed, JavaMissing."""
    with tempfile.TemporaryDirectory() as directory:
        lock = Path(directory) / "connector.lock"
        lock.write_text(connector_lines(LOCK.read_text()))
        return [Path(shutil.copy(jar, target)) for jar in sorted((ensure_jars(lock) / SPARK).glob("*.jar"))]


def main() -> None:
    """Installs them where this Python's pyspark looks; exits with one sentence when it cannot."""
    spec = importlib.util.find_spec("pyspark")
    if spec is None or spec.origin is None:
        sys.exit("pyspark is not installed in this environment")
    try:
        jars = install_connector(Path(spec.origin).parent / "jars")
    except (JarsFailed, JavaMissing) as error:
        sys.exit(str(error))
    sys.stdout.writelines(f"{jar}\n" for jar in jars)


if __name__ == "__main__":
    main()
