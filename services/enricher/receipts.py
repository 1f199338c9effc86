"""What an erasure did, for whoever has to answer for it."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from interlude.events.topics import Topic
from interlude.servicekit.topic_retention import Retention
from services.enricher.traces import FAMILIES, Trace

_FOR_EVER_MS: Final = 100 * 365 * 86_400_000
"""Kafka's "unlimited" is a number."""
_DEAD_LETTERS: Final = ".dlq"


@dataclass(frozen=True, slots=True)
class Receipt:
    """By customer and family of keys, what was found, removed and is left; and until when Kafka keeps its records."""

    erased_at_ms: int
    customer_ids: tuple[int, ...]
    found: Counter[tuple[int, str]]
    removed: Counter[tuple[int, str]]
    remaining: list[Trace]
    later: list[int]
    """Customers with events after the erasure, which it does not concern."""
    topics: dict[str, Retention]

    def as_json(self) -> dict[str, object]:
        """For `json.dumps`."""
        return {
            "erased_at": _time(self.erased_at_ms),
            "erased_at_ms": self.erased_at_ms,
            "customers": [self._customer(customer_id) for customer_id in self.customer_ids],
            "kafka": {
                name: self._topic(name, topic) for name, topic in self.topics.items() if _is_about_customers(name)
            },
            "lake": "rows up to the erasure are dropped at its next compaction, which reads the erasures of `customers`",
            "remains": "the erasure itself: customer id and time, in `customers`, the state and the profile for texts, so that "
            "no replay brings anything back; for ever, or as long as those topics can be replayed",
        }

    def _customer(self, customer_id: int) -> dict[str, object]:
        families = {
            name: {"found": self.found[customer_id, family], "removed": self.removed[customer_id, family]}
            for family, name in FAMILIES.items()
            if self.found[customer_id, family] or self.removed[customer_id, family]
        }
        return {
            "customer_id": customer_id,
            "redis": families,
            "left_in_redis": [trace.key.decode() for trace in self.remaining if trace.customer_id == customer_id],
            "events_after_the_erasure": customer_id in self.later,
        }

    def _topic(self, name: str, topic: Retention) -> dict[str, object]:
        record: dict[str, object] = {"compacted": topic.is_compacted, "retention_ms": topic.retention_ms}
        if name == Topic.CUSTOMERS:
            record["holds"] = "the erasure, newest of its key"
        lag_ms = topic.compaction_lag_ms if topic.is_compacted else _FOR_EVER_MS
        age_ms = topic.retention_ms if topic.is_deleted and topic.retention_ms >= 0 else _FOR_EVER_MS
        kept_ms = min(lag_ms, age_ms)
        # Not before the segment that a record lies in is closed.
        gone = _time(self.erased_at_ms + kept_ms + topic.segment_ms) if kept_ms < _FOR_EVER_MS else None
        record["older_records_gone_by"] = gone or _without_end(topic)
        return record


def _is_about_customers(name: str) -> bool:
    topic = name.partition(".")[0] if name.endswith(_DEAD_LETTERS) else name
    return topic in set(Topic) - {Topic.CAMPAIGNS}


def _without_end(topic: Retention) -> str:
    if topic.is_compacted:
        return "the next compaction; no latest time is set (max.compaction.lag.ms)"
    return "never: the topic has no retention.ms"


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
