"""What players report of offers that were shown."""

from prometheus_client import CollectorRegistry, Counter


class OutcomeMetrics:
    """Counts for the registry of a service."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.taken = Counter(
            "interlude_decision_outcomes_total", "Outcomes taken, by kind, each once.", ["kind"], registry=registry
        )
        self.repeated = Counter(
            "interlude_decision_repeated_outcomes_total",
            "Reports of what was reported before, by kind; answered and not queued again. When it rises: players report twice.",
            ["kind"],
            registry=registry,
        )
        self.unchecked = Counter(
            "interlude_decision_unchecked_outcomes_total",
            "Outcomes taken while Redis could not tell whether they had been before. When it rises: look at Redis; readers drop "
            "doubles.",
            registry=registry,
        )
        self.refused_tokens = Counter(
            "interlude_decision_refused_tokens_total",
            "Reports refused for their token, by cause. forged: tried by strangers, or replicas differ in DECISION_TOKEN_KEY. "
            "expired: players report too late.",
            ["cause"],
            registry=registry,
        )
