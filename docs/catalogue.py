"""What the services say about themselves: the metrics that they export and the settings that they take."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import Metric

from interlude.servicekit.settings import ServiceSettings
from services.decision.metrics import (
    CampaignMetrics,
    DecisionMetrics,
    FrontMetrics,
    LogMetrics,
    ModelMetrics,
    OutcomeMetrics,
    SampleRatioMetric,
    TrialMetrics,
)
from services.decision.settings import DecisionSettings
from services.enricher.metrics import EnricherMetrics, ReconciliationMetric
from services.enricher.settings import EnricherSettings
from services.sms.metrics import SmsMetrics
from services.sms.settings import SmsSettings
from services.trainer.metrics import LakeMetrics
from services.trainer.settings import TrainerSettings

SETTINGS: Final[dict[str, type[ServiceSettings]]] = {
    "decision": DecisionSettings,
    "enricher": EnricherSettings,
    "sms": SmsSettings,
    "trainer": TrainerSettings,
}
"""Settings class of every service."""

_METRICS: Final = {
    "decision": DecisionMetrics,
    "enricher": EnricherMetrics,
    "sms": SmsMetrics,
    "trainer": LakeMetrics,
}


_GROUPS: Final = (CampaignMetrics, LogMetrics, ModelMetrics, OutcomeMetrics, TrialMetrics)
"""What holds metrics of one part of a service."""


class MetricKind(StrEnum):
    """The kinds in use, named as Prometheus names them."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class MetricFamily:
    """One metric as a service declares it; a counter's name ends in _total."""

    name: str
    kind: MetricKind
    labels: tuple[str, ...]
    help: str

    def series(self) -> dict[str, frozenset[str]]:
        """Names that a query may use, each with its labels. The _created ones are left out: nobody should ask for them."""
        labels = frozenset(self.labels)
        if self.kind is MetricKind.HISTOGRAM:
            return {
                f"{self.name}_bucket": labels | {"le"},
                f"{self.name}_count": labels,
                f"{self.name}_sum": labels,
            }
        return {self.name: labels}


def read_metrics() -> dict[str, tuple[MetricFamily, ...]]:
    """The metrics of every service that exports any, in the order in which they are declared."""
    return {service: tuple(_families(metrics())) for service, metrics in _METRICS.items()}


def exported_series() -> dict[str, frozenset[str]]:
    """Every series of every service with its labels."""
    return {
        name: labels
        for families in read_metrics().values()
        for family in families
        for name, labels in family.series().items()
    }


def _families(metrics: object) -> Iterator[MetricFamily]:
    for collector in vars(metrics).values():
        if isinstance(collector, _GROUPS):
            yield from _families(collector)
        if getattr(collector, "_labelvalues", ()):
            continue  # one series of a family, kept at hand
        if isinstance(collector, MetricWrapperBase | FrontMetrics | ReconciliationMetric | SampleRatioMetric):
            for described in collector.describe():
                # A wrapper knows its labels itself, a collector of our own gives families that do.
                named = collector if isinstance(collector, MetricWrapperBase) else described
                yield _family(described, tuple(getattr(named, "_labelnames", ())))


def _family(described: Metric, labels: tuple[str, ...]) -> MetricFamily:
    kind = MetricKind(described.type)
    name = f"{described.name}_total" if kind is MetricKind.COUNTER else described.name
    return MetricFamily(name, kind, labels, described.documentation)
