"""Lines of plain Python values as the Arrow batches that Spark's workers hand back."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import pyarrow as pa  # type: ignore[import-untyped]

BATCH_LINES: Final = 4096


def to_batches(lines: Iterable[tuple[Any, ...]], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Lines of one value per column as record batches of `schema`."""
    kept: list[tuple[Any, ...]] = []
    for line in lines:
        kept.append(line)
        if len(kept) == BATCH_LINES:
            yield _batch(kept, schema)
            kept = []
    if kept:
        yield _batch(kept, schema)


def _batch(lines: list[tuple[Any, ...]], schema: pa.Schema) -> pa.RecordBatch:
    columns = zip(*lines, strict=True)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
