"""Golden decisions: JSON that a product manager can read, as the engine's facts, and the answer back as such JSON."""

import json
import re
from pathlib import Path
from typing import Any, Final

from interlude.contacts.campaign import Campaign
from interlude.contacts.caps import Channel, Contact, cap_use
from interlude.features.codec import HotFeatures, ProfileFlag
from interlude.features.state import Level
from interlude.v1 import decision_pb2 as pb
from services.decision.engine import Answer, Question
from services.decision.policy import Facts, Rung, decide
from services.decision.responses import to_explanation

DIRECTORY: Final = Path(__file__).parents[2] / "golden" / "decisions"
NOW_MS: Final = 1_700_000_000_000

_UNITS_MS: Final = {"d": 86_400_000, "h": 3_600_000, "min": 60_000, "s": 1000, "ms": 1}


def read_all() -> dict[str, dict[str, Any]]:
    """Every golden decision by the name of its file."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(DIRECTORY.glob("*.json"))}


def to_facts(given: dict[str, Any]) -> Facts:
    """The facts that `given` describes."""
    return Facts(
        Campaign(campaign_id="premium-day", **given["campaign"]),
        Rung[given["rung"]],
        _to_listener(given["listener"]),
        cap_use(_to_contacts(given["contacts_ago"]), NOW_MS),
        given["score"],
        given["threshold"],
    )


def to_outcome(facts: Facts) -> dict[str, Any]:
    """What is decided from `facts`, as a golden file says it."""
    question = Question("golden", 1, facts.campaign)
    explained = to_explanation(Answer(question, decide(facts), facts, "", NOW_MS))
    return {
        "show": explained.answer.show,
        "reason": pb.Reason.Name(explained.answer.reason).removeprefix("REASON_"),
        "explanation": [_to_line(rule) for rule in explained.rules],
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


def _to_listener(given: dict[str, Any] | None) -> HotFeatures | None:
    if given is None:
        return None
    flags = (
        ProfileFlag.KNOWN * given["profile_known"]
        | ProfileFlag.ACTIVE * given["active"]
        | ProfileFlag.CONSENT_PLAYER_OFFERS * given["consents_to_offers"]
    )
    return HotFeatures(Level[given["level"]], flags, None, bytes(24))


def _to_contacts(spans: list[str]) -> list[Contact]:
    return [Contact(NOW_MS - duration_ms(span), place, 1, Channel.PLAYER) for place, span in enumerate(spans)]
