"""One Spark session, set up so that small jobs are quick and Python workers find this code."""

import logging
import os
import shutil
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pyspark.sql import SparkSession

import interlude

SHUFFLE_PARTITIONS: Final = 2
"""As many as the machine has cores; what one machine holds needs no more, and each one more costs every small job."""

_LOOPBACK: Final = "127.0.0.1"

DEFAULT_MEMORY: Final = "2g"

_JAVA_OPTIONS: Final = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
"""A command lives for seconds: the second compiler and parallel collection cost more than they bring."""

_LOG_SETTINGS: Final = Path(__file__).with_name("log4j2.properties").as_uri()


class SparkUnavailable(Exception):
    """Spark cannot run here; the message says what to do."""


@contextmanager
def spark_session(
    master: str, jars: str, java_options: str = "", memory: str = DEFAULT_MEMORY
) -> Iterator[SparkSession]:
    """A session on `master` with the connector `jars` (comma-separated paths), more `java_options` and `memory` for its heap,
    stopped at the end.

    Raises `SparkUnavailable` where there is no Java.
    """
    if not (shutil.which("java") or os.environ.get("JAVA_HOME")):
        raise SparkUnavailable("no Java was found: install Java 17 or newer, or set JAVA_HOME")
    # pyspark 4.2 warns of pandas 3; nothing here goes through pandas.
    warnings.filterwarnings("ignore", message="PySpark does not yet fully support pandas", category=FutureWarning)
    logging.getLogger("py4j").setLevel(logging.WARNING)
    _show_code_to_workers()
    builder = (
        SparkSession.builder.master(master)
        .appName("interlude-trainer")
        .config("spark.executorEnv.PYTHONPATH", os.environ["PYTHONPATH"])
        .config(
            "spark.driver.extraJavaOptions",
            f"{_JAVA_OPTIONS} {java_options} -Dlog4j2.configurationFile={_LOG_SETTINGS}",
        )
        .config("spark.driver.memory", memory)
        .config("spark.executor.memory", memory)
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.sql.shuffle.partitions", str(SHUFFLE_PARTITIONS))
        .config("spark.sql.session.timeZone", "UTC")
    )
    if master.startswith("local") or _LOOPBACK in master:
        builder = builder.config("spark.driver.host", _LOOPBACK)
    if jars:
        builder = builder.config("spark.jars", jars)
    session = builder.getOrCreate()
    try:
        yield session
    finally:
        session.stop()


def _show_code_to_workers() -> None:
    """Make Python workers run this interpreter with `interlude` and `services` on its path; both go by inheritance."""
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    root = str(Path(interlude.__file__).resolve().parents[1])
    known = os.environ.get("PYTHONPATH", "")
    if root not in known.split(os.pathsep):
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (root, known)))
