"""Golden decisions: JSON that a product manager can read, as the policy's facts, and the answer back as such JSON."""

import json
import re
import struct
from datetime import datetime
from pathlib import Path
from typing import Any, Final, cast

from interlude.contacts.budget import BudgetState
from interlude.contacts.campaign import Campaign
from interlude.contacts.experiment import Assignment
from interlude.features.codec import HotFeatures, ProfileFlag
from interlude.features.schema import STATE_FEATURES
from interlude.features.state import Level
from interlude.v1 import decision_pb2 as pb
from services.decision.explanation import to_explanation
from services.decision.policy import SHOWN, Facts, Rung, decide

DIRECTORY: Final = Path(__file__).parents[2] / "golden" / "decisions"
EXPECTED: Final = ("show", "reason", "propensity", "explanation", "nearest_yes")

_UNITS_MS: Final = {"d": 86_400_000, "h": 3_600_000, "min": 60_000, "s": 1000, "ms": 1}


def read_all() -> dict[str, dict[str, Any]]:
    """Every golden decision by the name of its file."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(DIRECTORY.glob("*.json"))}


def to_facts(given: dict[str, Any]) -> Facts:
    """The facts that `given` describes."""
    now_ms = round(datetime.fromisoformat(given["now"]).timestamp() * 1000)
    experiment = dict(given.get("experiment", {}))
    chance = experiment.pop("chance", 1.0)
    return Facts(
        campaign=Campaign(campaign_id="premium-day", **given["campaign"]),
        now_ms=now_ms,
        rung=Rung[given["rung"]],
        listener=_to_listener(given["listener"], now_ms),
        contact_times=tuple(now_ms - duration_ms(span) for span in given["contacts_ago"]),
        score=given["score"],
        model_threshold=given["model_threshold"],
        next_track_id=given.get("next_track", 0),
        budget=BudgetState[given.get("budget", "OPEN")],
        assignment=Assignment(**experiment),
        chance=chance,
    )


def to_outcome(facts: Facts) -> dict[str, Any]:
    """What is decided from `facts`, as a golden file says it."""
    reason, propensity = decide(facts)
    explained = to_explanation(facts, pb.DecideResponse(reason=cast(pb.Reason, reason)))
    return {
        "show": reason in SHOWN,
        "reason": reason.name,
        "propensity": round(propensity, 9),
        "explanation": [_to_line(rule) for rule in explained.rules],
        "nearest_yes": [_to_change(change, facts.now_ms) for change in explained.nearest_yes],
    }


def duration_ms(text: str) -> int:
    """Milliseconds in a span such as "23 h 59 min"."""
    parts = re.findall(r"(\d+) (d|h|min|s|ms)\b", text)
    if " ".join(f"{number} {unit}" for number, unit in parts) != text:
        raise ValueError(f"{text!r} is not a span")
    return sum(int(number) * _UNITS_MS[unit] for number, unit in parts)


def _to_line(rule: pb.RuleOutcome) -> str:
    name = pb.Reason.Name(rule.reason).removeprefix("REASON_")
    verdict = "AGAINST" if rule.matched else "fine"
    change = f" -> {rule.to_change}" if rule.to_change else ""
    return f"{verdict:7} {name}: {rule.detail}{change}"


def _to_change(change: pb.Change, now_ms: int) -> str:
    value = f"now_ms + {int(change.value) - now_ms}" if change.field == "now_ms" else f"{change.field} = {change.value}"
    return f"{value}: {change.text}"


def _to_listener(given: dict[str, Any] | None, now_ms: int) -> HotFeatures | None:
    """The listener; whatever is not given has not happened."""
    if given is None:
        return None
    given = dict(given)
    flags = (
        ProfileFlag.KNOWN.value * given.pop("profile_known")
        | ProfileFlag.ACTIVE.value * given.pop("active")
        | ProfileFlag.CONSENT_PLAYER_OFFERS.value * given.pop("consents_to_offers")
    )
    listens_ms = [now_ms - duration_ms(span) for span in given.pop("listens_ago", ())]
    tracks = given.pop("session_tracks", 0)
    ago_seconds = [(listens_ms[0] - begun_ms) // 1000 for begun_ms in listens_ms]
    listener = HotFeatures(
        level=Level[given.pop("level")].value,
        flags=flags,
        newest_listen_ms=listens_ms[0] if listens_ms else None,
        vector=bytes(4 * len(STATE_FEATURES)),
        session_began_ms=listens_ms[tracks - 1] if tracks else 0,
        session_tracks=tracks,
        streak_track_id=given.pop("streak_track", None),
        listening_hour_began_ms=_at_ms(given.pop("listening_hour_began_ago", None), now_ms) or 0,
        recent_listens=struct.pack(f"<{len(ago_seconds)}I", *ago_seconds),
        last_dismiss_ms=_at_ms(given.pop("dismissed_ago", None), now_ms),
        last_conversion_ms=_at_ms(given.pop("took_offer_ago", None), now_ms),
    )
    if given:
        raise ValueError(f"a listener has no {sorted(given)}")
    return listener


def _at_ms(span: str | None, now_ms: int) -> int | None:
    return None if span is None else now_ms - duration_ms(span)
