"""From answers to what goes over the wire and into the log."""

import hashlib
from typing import cast

from interlude.features.codec import HotFeatures
from interlude.features.schema import FEATURES, SCHEMA_VERSION
from interlude.v1 import decision_pb2 as pb
from services.decision.engine import Answer
from services.decision.policy import RULES, Rung
from services.decision.tokens import Shown, TokenIssuer

CERTAIN = 1.0
"""The propensity of an answer in which no chance was involved."""


def decision_id(answer: Answer) -> str:
    """32 hex digits, the same for the same question: a retried call is one decision in the log."""
    question = answer.question
    identity = b"%d|%s" % (question.customer_id, question.request_id.encode())
    return hashlib.blake2b(identity, digest_size=16).hexdigest()


def to_response(answer: Answer, tokens: TokenIssuer | None) -> pb.DecideResponse:
    """The response of an answer; with `tokens`, a shown one carries its outcome token."""
    facts = answer.facts
    response = pb.DecideResponse(
        show=answer.show,
        reason=cast(pb.Reason, answer.reason),
        decision_id=decision_id(answer),
        campaign_id=facts.campaign.campaign_id,
        score=facts.score,
        propensity=CERTAIN,
        model_version=answer.model_version,
        feature_age_ms=feature_age_ms(answer),
        rung=cast(pb.Rung, facts.rung),
        degraded=facts.rung is not Rung.FULL,
    )
    if tokens is not None and answer.show:
        shown = Shown(response.decision_id, answer.question.customer_id, response.campaign_id, answer.decided_at_ms)
        response.outcome_token = tokens.issue(shown)
    return response


def to_log(
    request: pb.DecideRequest, response: pb.DecideResponse, answer: Answer, service_version: str
) -> pb.DecisionLogged:
    """The log line of an answer: everything it was made from, without the token."""
    facts = answer.facts
    logged = pb.DecisionLogged(
        decision_id=response.decision_id,
        request=request,
        response=response,
        decided_at_ms=answer.decided_at_ms,
        features=_values(facts.listener),
        schema_version=SCHEMA_VERSION,
        threshold=facts.threshold,
        contacts_in_period=facts.cap_use.contacts_last_day,
        since_last_contact_ms=facts.cap_use.since_last_contact_ms,
        service_version=service_version,
    )
    logged.response.ClearField("outcome_token")
    return logged


def to_explanation(answer: Answer) -> pb.ExplainResponse:
    """Every rule with what it saw."""
    facts = answer.facts
    rules = []
    for rule in RULES:
        matched = rule.matches(facts)
        to_change = rule.to_change(facts) if matched else ""
        rules.append(
            pb.RuleOutcome(
                reason=cast(pb.Reason, rule.reason), matched=matched, detail=rule.detail(facts), to_change=to_change
            )
        )
    values = _values(facts.listener)
    features = [
        pb.NamedFeature(name=feature.name, value=value, unit=feature.unit)
        for feature, value in zip(FEATURES, values, strict=False)
    ]
    response = to_response(answer, tokens=None)
    response.ClearField("decision_id")
    return pb.ExplainResponse(answer=response, rules=rules, features=features)


def feature_age_ms(answer: Answer) -> int | None:
    """Age of the newest listen that the answer's features know, None where there is none."""
    listener = answer.facts.listener
    if listener is None or listener.newest_listen_ms is None:
        return None
    return max(0, answer.decided_at_ms - listener.newest_listen_ms)


def _values(listener: HotFeatures | None) -> list[float]:
    return [] if listener is None else list(memoryview(listener.vector).cast("f"))
