"""Runs Kafka once so that every later start is quick: its JVM writes the archive of its classes when it ends."""

import os

from devstack.class_archive import archive_path
from devstack.kafka import READY_TIMEOUT_S, KafkaServer
from devstack.places import LOGS
from devstack.workspace import temporary_workspace

_DUMP_TIMEOUT_S = 60.0


def write_archive() -> None:
    """Puts the archive into the cache, in one step. Raises ProcessFailed, JavaMissing, JarsFailed."""
    final = archive_path()
    draft = final.with_name(f"{final.name}.{os.getpid()}")
    try:
        with temporary_workspace() as directory:
            options = [f"-XX:ArchiveClassesAtExit={draft}"]
            server = KafkaServer(directory / "kafka", LOGS, start_options=options)
            server.process.start()
            try:
                server.process.wait_ready(server.ready, READY_TIMEOUT_S)
            finally:
                server.process.terminate(_DUMP_TIMEOUT_S)
        if draft.is_file():
            draft.replace(final)
    finally:
        draft.unlink(missing_ok=True)


if __name__ == "__main__":
    write_archive()
