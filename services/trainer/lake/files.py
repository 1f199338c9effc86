"""The lake's files through Spark's own file systems: a plain directory, or any URL that Hadoop opens (hdfs, s3a, gs, abfss)."""

import uuid
from typing import Any

from pyspark.sql import SparkSession

from services.trainer.lake.layout import (
    CHECKPOINTS,
    COMPLETE,
    INCOMING,
    MANIFESTS,
    DayManifest,
    TableView,
    batches_by_day,
)
from services.trainer.lake.tables import Table


class LakeFiles:
    """Lists, writes and removes below the lake's URL. What is written appears whole or not at all."""

    def __init__(self, spark: SparkSession, url: str) -> None:
        # Files are the JVM's affair: what it lists is what Spark reads, by whatever driver.
        context: Any = spark.sparkContext
        self._jvm: Any = context._jvm
        configuration = context._jsc.hadoopConfiguration()
        path = self._jvm.org.apache.hadoop.fs.Path(url)
        self._files: Any = path.getFileSystem(configuration)
        self.url: str = str(self._files.makeQualified(path).toString()).rstrip("/")

    def table_path(self, table: Table) -> str:
        """Where that table lies."""
        return f"{self.url}/{table.name}"

    def checkpoint_path(self, table: Table) -> str:
        """Where the stream of that table keeps how far it is."""
        return f"{self.url}/{CHECKPOINTS}/{table.name}"

    def view(self, table: Table) -> TableView:
        """All that is there of a table now. Manifests are read first: a batch that the next one takes in is then still seen."""
        path = self.table_path(table)
        manifests = self._manifests(path)
        complete = [found.split("/")[-2] for found, _ in self.glob(f"{path}/{INCOMING}/*/{COMPLETE}")]
        parts = [found for found, _ in self.glob(f"{path}/{INCOMING}/*/day=*")]
        return TableView(manifests, batches_by_day(parts, complete))

    def glob(self, pattern: str) -> list[tuple[str, int]]:
        """Path and bytes of everything that matches."""
        found = self._files.globStatus(self._jvm.org.apache.hadoop.fs.Path(pattern)) or ()
        return [(str(status.getPath().toString()), int(status.getLen())) for status in found]

    def exists(self, path: str) -> bool:
        """Whether there is anything at that path."""
        return bool(self._files.exists(self._jvm.org.apache.hadoop.fs.Path(path)))

    def read_text(self, path: str) -> str:
        """A whole small file."""
        stream = self._files.open(self._jvm.org.apache.hadoop.fs.Path(path))
        try:
            return bytes(stream.readAllBytes()).decode("utf-8")
        finally:
            stream.close()

    def write_text(self, path: str, text: str) -> None:
        """A new file, seen whole or not at all. Raises FileExistsError where there is one."""
        target = self._jvm.org.apache.hadoop.fs.Path(path)
        if self._files.exists(target):
            raise FileExistsError(path)
        draft = self._jvm.org.apache.hadoop.fs.Path(f"{path}.{uuid.uuid4().hex[:8]}.draft")
        stream = self._files.create(draft)
        try:
            stream.write(text.encode("utf-8"))
        finally:
            stream.close()
        if not self._files.rename(draft, target):
            self._files.delete(draft, False)
            raise FileExistsError(path)

    def remove(self, path: str) -> None:
        """Remove whatever lies there, if anything does."""
        self._files.delete(self._jvm.org.apache.hadoop.fs.Path(path), True)

    def _manifests(self, table_path: str) -> dict[str, DayManifest]:
        newest: dict[str, str] = {}
        for path, _ in self.glob(f"{table_path}/{MANIFESTS}/*/*.json"):
            day = path.split("/")[-2]
            newest[day] = max(newest.get(day, ""), path)  # versions have as many digits, all of them
        return {day: DayManifest.from_json(self.read_text(path)) for day, path in newest.items()}
