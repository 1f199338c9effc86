"""Explain tells what Decide did, every rule of it, and what would change it."""

import json
from random import Random
from typing import cast

import pytest

from bench.policy.random_facts import random_facts
from interlude.contacts.campaign import Campaign
from interlude.features.codec import HotFeatures
from interlude.features.schema import STATE_FEATURES
from interlude.v1 import decision_pb2 as pb
from services.decision.explanation import to_explanation
from services.decision.policy import RULES, SHOWN, Facts, Rung, decide, nearest_yes

_CASES = [random_facts(Random(place)) for place in range(1_000)]


def _explained(facts: Facts) -> pb.ExplainResponse:
    return to_explanation(facts, pb.DecideResponse(reason=cast(pb.Reason, decide(facts).reason)))


def test_every_rule_is_told_in_order_and_the_first_against_is_the_answer() -> None:
    for facts in _CASES:
        explained = _explained(facts)
        assert [rule.reason for rule in explained.rules] == [rule.reason.value for rule in RULES]
        against = [rule.reason for rule in explained.rules if rule.matched]
        assert explained.answer.reason in ([against[0]] if against else SHOWN)


def test_each_objection_and_only_those_come_with_what_would_change_them() -> None:
    for facts in _CASES:
        for rule in _explained(facts).rules:
            assert rule.detail
            assert bool(rule.to_change) == rule.matched


def test_the_nearest_yes_goes_over_the_wire_as_json_values() -> None:
    for facts in _CASES[:100]:
        named = [(change.field, json.loads(change.value), change.text) for change in _explained(facts).nearest_yes]
        assert named == [tuple(change) for change in nearest_yes(facts)]


def test_changes_that_are_needed_together_are_told_together() -> None:
    facts = Facts(
        Campaign(campaign_id="c", minimum_gap_tracks=2), 10**12, listener=_listener(), contact_times=(10**12 - 60_000,)
    )
    gap = next(rule for rule in _explained(facts).rules if rule.reason == pb.REASON_MINIMUM_GAP)
    assert gap.to_change == "wait 19 min and 2 more tracks played"


def test_where_nothing_known_here_would_change_it_the_rule_says_what_would_in_general() -> None:
    explained = _explained(Facts(Campaign(campaign_id="c"), 0, Rung.NO_TIME))
    assert explained.rules[1].to_change == "the feature store has to answer in time"
    assert not explained.nearest_yes


def test_features_are_told_with_name_and_unit() -> None:
    facts = next(facts for facts in _CASES if facts.listener is not None)
    told = _explained(facts).features
    assert [(feature.name, feature.unit) for feature in told] == [(each.name, each.unit) for each in STATE_FEATURES]
    assert facts.listener is not None
    assert [feature.value for feature in told] == list(memoryview(facts.listener.vector).cast("f"))
    assert not _explained(facts._replace(listener=None)).features


@pytest.mark.parametrize("field", ["reason", "model_version"])
def test_the_answer_is_handed_on_as_it_is(field: str) -> None:
    answer = pb.DecideResponse(reason=pb.REASON_SHOW, model_version="v1")
    assert getattr(to_explanation(_CASES[0], answer).answer, field) == getattr(answer, field)


def _listener() -> HotFeatures:
    return HotFeatures(level=1, flags=11, newest_listen_ms=None, vector=bytes(4 * len(STATE_FEATURES)))
