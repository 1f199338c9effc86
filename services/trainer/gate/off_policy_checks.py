"""What the log says the candidate would have been worth where the champion decides now."""

from services.trainer.gate.evidence import OffPolicy
from services.trainer.gate.verdict import Check, CheckName, Limits


def check_off_policy(off_policy: OffPolicy, limits: Limits) -> Check:
    """The paired difference's lower end is not below 0 by more than the tolerance.

    An interval from a handful of impressions says little, least of all about its own width: then the bound is what the
    candidate can lose at most.
    """
    difference, limit = off_policy.difference, -limits.off_policy_tolerance
    is_known = off_policy.effective_rows >= limits.off_policy_rows
    bound = max(difference.low, off_policy.worst) if is_known else off_policy.worst
    told = (
        f"{difference}"
        if is_known
        else f"unknown, but not below {bound:+.4f}: only {off_policy.effective_rows:.0f} effective impressions tell of it"
    )
    sentence = (
        f"On {off_policy.decisions:,} logged decisions, {off_policy.disagreement:.2%} of which the candidate would change, its "
        f"value less the champion's is {told}; the lower end has to be at least {limit:+.4f} clicks per decision."
    )
    return Check(CheckName.OFF_POLICY, bound >= limit, bound, limit, sentence)
