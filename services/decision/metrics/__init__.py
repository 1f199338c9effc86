"""What the decision service measures: `DecisionMetrics`, a group for each of its parts. docs/metrics.md is made from it."""

from services.decision.metrics.following import CampaignMetrics, ModelMetrics
from services.decision.metrics.front import FRONT_ENDS, REFUSAL_CAUSES, RENEWALS, FrontMetrics
from services.decision.metrics.log import LogMetrics
from services.decision.metrics.outcomes import OutcomeMetrics
from services.decision.metrics.sample_ratio import SampleRatioMetric
from services.decision.metrics.service import DecisionMetrics
from services.decision.metrics.trial import UNOBSERVED, TrialMetrics, TrialObserver

__all__ = [
    "FRONT_ENDS",
    "REFUSAL_CAUSES",
    "RENEWALS",
    "UNOBSERVED",
    "CampaignMetrics",
    "DecisionMetrics",
    "FrontMetrics",
    "LogMetrics",
    "ModelMetrics",
    "OutcomeMetrics",
    "SampleRatioMetric",
    "TrialMetrics",
    "TrialObserver",
]
