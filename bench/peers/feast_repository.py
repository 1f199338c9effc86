"""The six features in Feast, as its quick start does it: `python -m bench.peers.feast_repository DIRECTORY REDIS VECTORS NAMES`.

Runs in Feast's environment. Applies an entity and a feature view to the repository in DIRECTORY, and writes one row for each
row of VECTORS (.npy, shape (customers, features)) through Feast's own API, into its online store at REDIS (host:port,db=n).
"""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, ValueType
from feast.types import Float32

VIEW: Final = "listener"
ENTITY: Final = "customer"
JOIN_KEY: Final = "customer_id"
_AT: Final = "event_timestamp"
_ROWS_A_WRITE: Final = 10_000
_CONFIGURATION: Final = """\
project: peers
provider: local
registry: registry.db
offline_store:
  type: file
online_store:
  type: redis
  connection_string: "{redis}"
entity_key_serialization_version: 3
"""


def main() -> None:
    """Apply, then write."""
    directory, redis, vectors_file, names = sys.argv[1:]
    repository = Path(directory)
    (repository / "feature_store.yaml").write_text(_CONFIGURATION.format(redis=redis))
    rows = _rows(np.load(vectors_file), names.split(","))
    history = repository / "history.parquet"
    rows.to_parquet(history)
    store = FeatureStore(repo_path=directory)
    store.apply(_definitions(history, names.split(",")))
    for start in range(0, len(rows), _ROWS_A_WRITE):
        store.write_to_online_store(VIEW, rows[start : start + _ROWS_A_WRITE])


def _rows(vectors: np.ndarray, names: list[str]) -> pd.DataFrame:
    rows = pd.DataFrame(vectors, columns=names)
    rows[JOIN_KEY] = np.arange(len(rows), dtype=np.int64)
    rows[_AT] = datetime.now(UTC)
    return rows


def _definitions(history: Path, names: list[str]) -> list[Entity | FeatureView]:
    customer = Entity(name=ENTITY, join_keys=[JOIN_KEY], value_type=ValueType.INT64)
    source = FileSource(path=str(history), timestamp_field=_AT)
    schema = [Field(name=name, dtype=Float32) for name in names]
    return [customer, FeatureView(name=VIEW, entities=[customer], schema=schema, source=source)]


if __name__ == "__main__":
    main()
