"""The tables of the lake: what a row of each holds. Columns are only ever added, at the end; older files read as null there.

The first three columns are the same everywhere: `customer_id`, `event_id` (unique within its customer) and `at_ms`, the event's
own time, whose UTC day decides where the row lies. The last two say where in Kafka it was read.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import pyarrow as pa  # type: ignore[import-untyped]

from interlude.events.topics import Topic

_COMMON: Final = (("customer_id", "bigint"), ("event_id", "string"), ("at_ms", "bigint"))
_PROVENANCE: Final = (("log_partition", "int"), ("log_offset", "bigint"))
_ARROW: Final = {
    "bigint": pa.int64(),
    "int": pa.int32(),
    "string": pa.string(),
    "boolean": pa.bool_(),
    "float": pa.float32(),
    "array<float>": pa.list_(pa.float32()),
    "binary": pa.binary(),
}


def to_arrow_schema(columns: Iterable[tuple[str, str]]) -> pa.Schema:
    """Pairs of name and Spark type as Arrow has them."""
    return pa.schema([(name, _ARROW[kind]) for name, kind in columns])


class Change(StrEnum):
    """What a row of the table `customers` says of its customer."""

    PROFILE = "profile"
    DELETED = "deleted"
    ERASED = "erased"


@dataclass(frozen=True, slots=True)
class Table:
    """One table; `columns` are pairs of name and Spark type, without those that all have. `keeps_all`: age removes no row."""

    name: str
    topic: Topic
    columns: tuple[tuple[str, str], ...]
    keeps_all: bool = False

    @property
    def all_columns(self) -> tuple[tuple[str, str], ...]:
        """Every column of a file, in order."""
        return (*_COMMON, *self.columns, *_PROVENANCE)

    @property
    def schema(self) -> str:
        """As Spark takes it."""
        return ", ".join(f"{name} {kind}" for name, kind in self.all_columns)

    @property
    def arrow_schema(self) -> pa.Schema:
        """As its Python workers hand it over."""
        return to_arrow_schema(self.all_columns)


LISTENS: Final = Table(
    "listens",
    Topic.LISTENS,
    (("track_id", "bigint"), ("mobile", "boolean"), ("utc_offset_minutes", "int")),
)
AD_EVENTS: Final = Table(
    "ad_events",
    Topic.AD_EVENTS,
    (("kind", "int"), ("decision_id", "string"), ("campaign_id", "string"), ("channel", "int")),
)
DECISIONS: Final = Table(
    "decisions",
    Topic.DECISIONS,
    (
        ("campaign_id", "string"),
        ("shown", "boolean"),
        ("reason", "int"),
        ("score", "float"),
        ("propensity", "float"),
        ("arm", "string"),
        ("model_version", "string"),
        ("threshold", "float"),
        ("rung", "int"),
        ("reservation", "int"),
        ("campaigns_version", "string"),
        ("schema_version", "string"),
        ("features", "array<float>"),
        ("feature_age_ms", "bigint"),
        ("newest_listen_ms", "bigint"),
        ("device", "int"),
        ("next_track_id", "bigint"),
        ("contacts_in_period", "int"),
        ("since_last_contact_ms", "bigint"),
        ("listener", "binary"),
    ),
)
CUSTOMERS: Final = Table(
    "customers",
    Topic.CUSTOMERS,
    (
        ("change", "string"),
        ("level", "int"),
        ("active", "boolean"),
        ("consent_player_offers", "boolean"),
        ("consent_sms", "boolean"),
        ("gender", "int"),
        ("birth_year", "int"),
        ("time_zone", "string"),
    ),
    keeps_all=True,
)
TABLES: Final = (LISTENS, AD_EVENTS, DECISIONS, CUSTOMERS)
