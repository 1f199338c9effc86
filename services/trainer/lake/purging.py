"""Removing what no reader can be reading any more."""

from services.trainer.lake.files import LakeFiles
from services.trainer.lake.layout import COMPLETE, DAYS, INCOMING, MANIFESTS, DayManifest, TableView, incoming_path
from services.trainer.lake.tables import Table


def purge(files: LakeFiles, table: Table, view: TableView, before_ms: int) -> int:
    """Remove what manifests that were written before `before_ms` made superfluous; returns how many directories went."""
    path = files.table_path(table)
    settled = {day: one for day, one in view.manifests.items() if one.written_at_ms <= before_ms}
    doomed = [found for day, one in settled.items() for found in _superseded(files, path, day, one)]
    doomed += [incoming_path(path, batch, day) for day in settled for batch in view.absorbed(day)]
    doomed += [f"{path}/{MANIFESTS}/{day}" for day, one in settled.items() if one.removed]
    for found in doomed:
        files.remove(found)
    emptied = _empty_batches(files, path)
    for found in emptied:
        files.remove(found)
    return len(doomed) + len(emptied)


def _superseded(files: LakeFiles, path: str, day: str, manifest: DayManifest) -> list[str]:
    """Older directories and manifests of that day; a newer directory is one that is being written."""
    directories = [found for found, _ in files.glob(f"{path}/{DAYS}/{day}/*")]
    manifests = [found for found, _ in files.glob(f"{path}/{MANIFESTS}/{day}/*.json")]
    if manifest.removed:
        return [f"{path}/{DAYS}/{day}"] if directories else []
    newest = f"{manifest.version:06d}"
    old = [found for found in directories if found.rpartition("/")[2] < newest]
    old = [found for found in old if found.rpartition("/")[2] != manifest.directory]
    return old + [found for found in manifests if found.rpartition("/")[2] < f"{newest}.json"]


def _empty_batches(files: LakeFiles, path: str) -> list[str]:
    """Complete batches without a row, but not the last of a stream, which a crash may make it look for."""
    complete = sorted(found.rpartition("/")[0] for found, _ in files.glob(f"{path}/{INCOMING}/*/{COMPLETE}"))
    with_rows = {found.rpartition("/")[0] for found, _ in files.glob(f"{path}/{INCOMING}/*/day=*")}
    last = {found.rpartition("-")[0]: found for found in complete}
    return [found for found in complete if found not in with_rows and found not in last.values()]
