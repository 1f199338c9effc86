"""`python -m devstack.warm_up kafka | spark`: runs it once, so that every later start is quick: its JVM writes the archive
of its classes when it ends."""

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from devstack.class_archive import kafka_archive, spark_archive
from devstack.kafka import READY_TIMEOUT_S, KafkaServer
from devstack.keys import generate_keys
from devstack.places import LOGS, REPOSITORY
from devstack.ports import LOOPBACK
from devstack.workspace import temporary_workspace

_DUMP_TIMEOUT_S: Final = 60.0
_TRAINING: Final = (
    *("--folds", "2", "--tuning-folds", "2", "--regularisations", "0.01", "--logistic-iterations", "2"),
    *("--svm-iterations", "2"),
)
_ROWS: Final = 60
_FEATURES: Final = 6


def write_kafka_archive() -> None:
    """Puts Kafka's archive into the cache. Raises ProcessFailed, JavaMissing, JarsFailed."""
    with _draft(kafka_archive()) as (directory, option):
        server = KafkaServer(directory / "kafka", LOGS, start_options=[option])
        server.process.start()
        try:
            server.process.wait_ready(server.ready, READY_TIMEOUT_S)
        finally:
            server.process.terminate(_DUMP_TIMEOUT_S)


def write_spark_archive() -> None:
    """Puts Spark's archive into the environment, from the smallest training that goes through everything. Raises JavaMissing."""
    with _draft(spark_archive()) as (directory, option):
        (directory / "models").mkdir()
        (directory / "rows.libsvm").write_text(_rows(), encoding="ascii")
        environment = {
            **os.environ,
            "TRAINER_MODEL_STORE": str(directory / "models"),
            "TRAINER_MODEL_PRIVATE_KEY": generate_keys().model_private_key,
            "TRAINER_SPARK_JAVA_OPTIONS": option,
            "SPARK_LOCAL_IP": LOOPBACK,
        }
        command = [sys.executable, "-m", "services.trainer", "train", "--features-file", str(directory / "rows.libsvm")]
        # Whether the gate lets such a model pass is of no interest. The JVM outlives the command while it writes the archive; the
        # pipe it inherited is closed when it is done.
        done = subprocess.run(
            [*command, *_TRAINING],
            env=environment,
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        sys.stdout.buffer.write(done.stdout)


@contextmanager
def _draft(final: Path) -> Iterator[tuple[Path, str]]:
    """A directory to work in, and the option that writes the archive; what was written is put in its place in one step."""
    draft = final.with_name(f"{final.name}.{os.getpid()}")
    try:
        with temporary_workspace() as directory:
            yield directory, f"-XX:ArchiveClassesAtExit={draft}"
        if draft.is_file():
            draft.replace(final)
    finally:
        draft.unlink(missing_ok=True)


def _rows() -> str:
    """Rows of chance in libsvm format."""
    chance = random.Random(0)
    lines = []
    for number in range(_ROWS):
        values = " ".join(f"{place}:{chance.random():.2f}" for place in range(1, _FEATURES + 1))
        lines.append(f"{number % 2} {values}\n")
    return "".join(lines)


_PARTS: Final[dict[str, Callable[[], None]]] = {"kafka": write_kafka_archive, "spark": write_spark_archive}


if __name__ == "__main__":
    _PARTS[sys.argv[1]]()
