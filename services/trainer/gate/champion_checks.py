"""Checks of the candidate beside the champion, on the same rows."""

from services.trainer.gate.evidence import ChampionComparison
from services.trainer.gate.verdict import Check, CheckName, Limits


def check_champion(comparison: ChampionComparison, limits: Limits) -> list[Check]:
    """Not worse, as far as the rows can tell, and not another policy altogether."""
    return [_log_loss(comparison, limits), _error(comparison, limits), _decision_rate(comparison, limits)]


def _log_loss(comparison: ChampionComparison, limits: Limits) -> Check:
    difference, limit = comparison.log_loss, limits.champion_log_loss_tolerance
    sentence = (
        f"The candidate's log-loss differs from the champion's {comparison.champion.log_loss:.4f} on these rows by "
        f"{difference}; the upper end may be at most {limit:+.4f}."
    )
    return Check(CheckName.CHAMPION_LOG_LOSS, difference.high <= limit, difference.high, limit, sentence)


def _error(comparison: ChampionComparison, limits: Limits) -> Check:
    difference, limit = comparison.error, limits.champion_error_tolerance
    sentence = (
        f"The champion errs on {comparison.champion.error:.2%} of these rows, the candidate on {difference.value:+.2%} more "
        f"(95 % interval {difference.low:+.2%} to {difference.high:+.2%}); the upper end may be at most {limit:+.2%}."
    )
    return Check(CheckName.CHAMPION_ERROR, difference.high <= limit, difference.high, limit, sentence)


def _decision_rate(comparison: ChampionComparison, limits: Limits) -> Check:
    shift = abs(comparison.share_shown - comparison.champion_share_shown)
    sentence = (
        f"The candidate would show the offer on {comparison.share_shown:.2%} of these rows, the champion on "
        f"{comparison.champion_share_shown:.2%}; they may differ by at most {limits.decision_rate_shift:.2%}."
    )
    return Check(
        CheckName.DECISION_RATE, shift <= limits.decision_rate_shift, shift, limits.decision_rate_shift, sentence
    )
