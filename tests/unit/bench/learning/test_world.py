"""The world in numpy is the demo's, and decisions in numpy are the policy's."""

import numpy as np
import pytest

from bench.learning.playing import Policy, best_value, decide, play, together, value_of
from bench.learning.world import MEAN_LISTENS, click_probability, draw_listeners
from demo.listeners import listener
from interlude.contacts.campaign import Campaign
from interlude.contacts.experiment import Assignment
from interlude.features.codec import decode_hot
from services.decision.policy import SHOWN, Facts
from services.decision.policy import decide as decide_one
from tests.listeners import NEWEST_LISTEN_MS, hot_features


def test_click_probabilities_are_those_of_the_demo() -> None:
    people = [listener(5, number) for number in range(500)]
    by_demo = np.array([person.click_probability for person in people])
    np.testing.assert_allclose(click_probability(np.array([person.habits for person in people])), by_demo, atol=1e-12)


def test_listeners_are_spread_as_in_the_demo() -> None:
    by_demo = np.array([listener(5, number).click_probability for number in range(4000)])
    by_world = draw_listeners(np.random.default_rng(1), 100_000).probability
    for quantity in (np.mean, lambda p: np.mean(p >= 0.5), lambda p: np.mean(np.minimum(p, 1 - p))):
        error = 3 * np.std(by_demo) / np.sqrt(len(by_demo))
        assert quantity(by_world) == pytest.approx(quantity(by_demo), abs=error)


def test_features_are_shares_of_whole_listens() -> None:
    features = draw_listeners(np.random.default_rng(1), 5000).features
    assert features.dtype == np.float32
    np.testing.assert_allclose(features[:, :4].sum(axis=1), 1, atol=1e-6)
    assert features.min() >= 0
    assert features.max() <= 1
    assert len(np.unique(features[:, 4])) < MEAN_LISTENS**2


@pytest.mark.parametrize(("exploration", "holdout"), [(0.05, 0.1), (0.0, 0.1), (0.1, 0.0), (0.0, 0.0), (0.5, 0.5)])
def test_decisions_are_the_policys(exploration: float, holdout: float) -> None:
    policy = Policy(0.5, exploration, holdout)
    campaign = Campaign(campaign_id="upgrade", exploration_rate=exploration, holdout_share=holdout)
    listener_known = decode_hot(hot_features())
    chance = np.random.default_rng(1)
    scores, draws = chance.random(2000), chance.random(2000)
    held_out = chance.random(2000) < holdout
    shown, propensity, reason = decide(scores < policy.threshold, draws < exploration, held_out, policy)
    for place in range(2000):
        facts = Facts(
            campaign,
            NEWEST_LISTEN_MS,
            listener=listener_known,
            score=float(scores[place]),
            model_threshold=policy.threshold,
            assignment=Assignment(holdout=bool(held_out[place])),
            chance=float(draws[place]),
        )
        verdict = decide_one(facts)
        assert verdict.reason == reason[place]
        assert verdict.propensity == pytest.approx(propensity[place], rel=1e-12)
        assert shown[place] == (verdict.reason in SHOWN)


def test_played_decisions_show_what_the_policy_says_they_do() -> None:
    chance = np.random.default_rng(1)
    listeners = draw_listeners(chance, 20_000)
    played = play(chance, listeners, np.zeros(20_000), Policy(0.5, 0.1, 0.2), asked=3, first=7)
    assert played.shown.mean() == pytest.approx(0.08, rel=0.05)
    np.testing.assert_allclose(played.propensity[played.shown], 0.08)
    assert not played.clicked[~played.shown].any()
    assert played.clicked[played.shown].mean() == pytest.approx(listeners.probability.mean(), rel=0.1)
    assert set(np.bincount(played.listener)) == {0, 3}
    assert len(together([played, played]).shown) == 2 * len(played.shown)
    assert played.to_table(listeners).num_rows == 60_000
    assert played.usable(2).features.shape == (60_000, 6)


def test_no_policy_is_worth_more_than_the_best() -> None:
    probability = np.array([0.2, 0.6, 0.9])
    assert best_value(probability, 0.5) == pytest.approx((0.1 + 0.4) / 3)
    assert value_of(np.array([True, True, True]), probability, 0.5) < best_value(probability, 0.5)
