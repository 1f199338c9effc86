"""From facts to what Explain answers: every rule with what it saw, the features, and what would show the offer."""

import json
from typing import cast

from interlude.features.codec import HotFeatures
from interlude.features.schema import FEATURES
from interlude.v1 import decision_pb2 as pb
from services.decision.policy import RULES, Change, Facts, Rule, nearest_yes


def to_explanation(facts: Facts, answer: pb.DecideResponse) -> pb.ExplainResponse:
    """The explanation of `answer`, which was made from `facts`."""
    return pb.ExplainResponse(
        answer=answer,
        rules=[_to_outcome(rule, facts) for rule in RULES],
        features=_to_features(facts.listener),
        nearest_yes=[_to_change(change) for change in nearest_yes(facts)],
    )


def _to_outcome(rule: Rule, facts: Facts) -> pb.RuleOutcome:
    matched = rule.matches(facts)
    return pb.RuleOutcome(
        reason=cast(pb.Reason, rule.reason),
        matched=matched,
        detail=rule.detail(facts),
        to_change=_to_change_text(rule, facts) if matched else "",
    )


def _to_change_text(rule: Rule, facts: Facts) -> str:
    """The nearest way, or what would change it in general where nothing known here does."""
    ways = rule.ways(facts)
    return " and ".join(change.text for change in ways[0]) if ways else rule.remedy


def _to_change(change: Change) -> pb.Change:
    return pb.Change(field=change.field, value=json.dumps(change.value), text=change.text)


def _to_features(listener: HotFeatures | None) -> list[pb.NamedFeature]:
    if listener is None:
        return []
    values = memoryview(listener.vector).cast("f")
    return [
        pb.NamedFeature(name=feature.name, value=value, unit=feature.unit)
        for feature, value in zip(FEATURES, values, strict=False)  # all of them only where the model takes all
    ]
