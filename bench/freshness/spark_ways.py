"""The ways in which Spark is given the query."""

from enum import Enum


class Way(Enum):
    """How the query runs in Spark."""

    STATEFUL = "stateful"
    """Micro-batches, the whole state of each listener in Spark's state store: what the enricher does."""
    STATELESS = "stateless"
    """Micro-batches without any state: each listen becomes the features of a listener who has but that one."""
    REAL_TIME = "real_time"
    """Real-time mode, without state: Spark 4.2 lets nothing with state into it, and of what Python can do `foreach` alone."""
