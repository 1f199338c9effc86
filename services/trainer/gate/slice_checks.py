"""No kind of listener is served much worse for the sake of the others."""

from services.trainer.gate.evidence import SliceQuality
from services.trainer.gate.verdict import Check, CheckName, Limits


def check_slices(slices: tuple[SliceQuality, ...], limits: Limits) -> list[Check]:
    """One check over all slices that have rows enough; none where no slice has."""
    judged = [one for one in slices if one.rows >= limits.slice_rows]
    if not judged:
        return []
    complaints = [complaint for one in judged for complaint in _complaints(one, limits)]
    names = ", ".join(f"{one.dimension} {one.name}" for one in judged)
    sentence = " ".join(complaints) or f"No slice is served much worse than it should be: {names}."
    worst = max(_harm(one) for one in judged)
    return [Check(CheckName.SLICES, not complaints, worst, limits.slice_log_loss, sentence)]


def _harm(one: SliceQuality) -> float:
    """The lower end of the greater harm: what is lost for certain."""
    return max(one.harm.low, one.harm_over_champion.low if one.harm_over_champion else one.harm.low)


def _complaints(one: SliceQuality, limits: Limits) -> list[str]:
    who = f"For {one.dimension} {one.name} ({one.rows:,} rows)"
    complaints = []
    if not one.harm.low <= limits.slice_log_loss:
        complaints.append(
            f"{who} the log-loss differs from that of promising all of them their click rate by {one.harm}."
        )
    over = one.harm_over_champion
    if over is not None and not over.low <= limits.slice_log_loss:
        complaints.append(f"{who} the log-loss differs from the champion's by {over}.")
    allowed = limits.slice_gap + one.gap_by_chance
    if not abs(one.gap) <= allowed:
        complaints.append(
            f"{who} promised and seen click rates differ by {one.gap:+.4f}, at most {allowed:.4f} is allowed."
        )
    return complaints
