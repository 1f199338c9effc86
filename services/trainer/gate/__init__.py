"""The gate: whether a candidate may become a version. Pure: numbers in, a verdict with a sentence per check out.

`evidence` is what the gate is told, `verdict` what it answers, `judging` the order of the checks. Where the numbers come from
is `services/trainer/gathering.py`; why these statistics, docs/adr/0019-statistics-of-the-gate.md.
"""

from services.trainer.gate.evidence import (
    Baseline,
    ChampionComparison,
    Evidence,
    Interval,
    OffPolicy,
    PolicyValue,
    Quality,
    SliceQuality,
)
from services.trainer.gate.judging import judge
from services.trainer.gate.verdict import DEFAULT_LIMITS, Check, CheckName, GateReport, Limits

__all__ = [
    "DEFAULT_LIMITS",
    "Baseline",
    "ChampionComparison",
    "Check",
    "CheckName",
    "Evidence",
    "GateReport",
    "Interval",
    "Limits",
    "OffPolicy",
    "PolicyValue",
    "Quality",
    "SliceQuality",
    "judge",
]
