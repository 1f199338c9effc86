"""The order of the checks."""

from collections.abc import Iterator

from services.trainer.gate.champion_checks import check_champion
from services.trainer.gate.evidence import Evidence
from services.trainer.gate.off_policy_checks import check_off_policy
from services.trainer.gate.quality_checks import check_quality
from services.trainer.gate.slice_checks import check_slices
from services.trainer.gate.verdict import DEFAULT_LIMITS, Check, GateReport, Limits


def judge(evidence: Evidence, limits: Limits = DEFAULT_LIMITS) -> GateReport:
    """The verdict on a candidate. A measure that is not a number fails its check."""
    slices = check_slices(evidence.slices, limits)
    checks: list[Check] = check_quality(evidence, limits)
    if evidence.champion is not None:
        checks += check_champion(evidence.champion, limits)
    checks += slices
    if evidence.off_policy is not None:
        checks.append(check_off_policy(evidence.off_policy, limits))
    return GateReport(tuple(checks), tuple(_not_checked(evidence, slices, limits)))


def _not_checked(evidence: Evidence, slices: list[Check], limits: Limits) -> Iterator[str]:
    if evidence.champion is None:
        yield "There is no champion to compare with."
    if not slices:
        yield f"No slice of the listeners has {limits.slice_rows} rows."
    if evidence.off_policy is None:
        reason = "there is no champion" if evidence.champion is None else "no logged decisions were given"
        yield f"Values were not estimated from the log: {reason}."
