"""What the service follows while it runs: models and campaigns, and the budgets of these."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class ModelMetrics:
    """Counts for the registry of a service."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._loaded = Counter(
            "interlude_decision_models_loaded_total", "Models that began to serve.", registry=registry
        )
        self._refused = Counter(
            "interlude_decision_models_refused_total",
            "Models that were not served, by the check they failed. Any: the champion in the store is not what serves.",
            ["check"],
            registry=registry,
        )
        self._info = Gauge(
            "interlude_decision_model_info", "1 for the version that serves.", ["version"], registry=registry
        )

    def loaded(self, version: str) -> None:
        """`version` serves from now on."""
        self._loaded.inc()
        self._info.clear()
        self._info.labels(version).set(1)

    def refused(self, check: str) -> None:
        """A model failed `check`."""
        self._refused.labels(check).inc()


class CampaignMetrics:
    """Counts for the registry of a service."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._loaded = Counter(
            "interlude_decision_campaigns_loaded_total",
            "Campaign documents that began to serve.",
            registry=registry,
        )
        self._refused = Counter(
            "interlude_decision_campaigns_refused_total",
            "Campaign documents that were not taken. Any: the old one serves on; the log names every problem of the new.",
            registry=registry,
        )
        self.file_refused = Gauge(
            "interlude_decision_campaign_file_refused",
            "1 while the campaign document in the file has a mistake and the one before serves on. When it is 1: pods that "
            "start now do not start; the log names every problem.",
            registry=registry,
        )
        self._info = Gauge(
            "interlude_decision_campaigns_info", "1 for the version that serves.", ["version"], registry=registry
        )
        self._budget_units = Counter(
            "interlude_decision_budget_units_total",
            "Discounts by campaign and way: leased from Redis, taken for an offer, given back, returned. Taken less given back "
            "is what this replica has promised; when leased rises and taken does not, discounts lie idle here.",
            ["campaign", "way"],
            registry=registry,
        )

    def loaded(self, version: str) -> None:
        """`version` of the campaign document serves from now on."""
        self._loaded.inc()
        self._info.clear()
        self._info.labels(version).set(1)

    def refused(self) -> None:
        """A document was not taken."""
        self._refused.inc()

    def budget_moved(self, campaign_id: str, way: str, units: int) -> None:
        """`units` of a budget went that way."""
        self._budget_units.labels(campaign_id, way).inc(units)
