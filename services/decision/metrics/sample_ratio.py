"""Whether experiments have the shares that they should have."""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from services.decision.sample_ratio import Deviation


class SampleRatioMetric(Collector):
    """The check of running experiments, made when somebody asks."""

    def __init__(self) -> None:
        self.deviations: Callable[[], Iterable[Deviation]] = tuple
        """Where it is read: an `ExperimentCheck`'s `deviations`."""

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """The family without values."""
        yield self._family(())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The family as it is now."""
        yield self._family(self.deviations())

    def _family(self, deviations: Iterable[Deviation]) -> GaugeMetricFamily:
        family = GaugeMetricFamily(
            "interlude_decision_sample_ratio_standard_errors",
            "How far the distinct customers of an experiment's side are from its share, since this process began. Beyond 4 either "
            "way: do not trust the experiment before you know which calls or customers are missing.",
            labels=["campaign", "side"],
        )
        for deviation in deviations:
            family.add_metric([deviation.campaign_id, deviation.side], deviation.standard_errors)
        return family
