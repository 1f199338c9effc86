"""Estimators: by hand on four decisions, and against the truth on many."""

import numpy as np
import pytest

from services.trainer.offpolicy import (
    LARGEST_WEIGHT,
    Estimate,
    LoggedDecisions,
    difference,
    doubly_robust,
    ips,
    snips,
)

FOUR = LoggedDecisions(
    shown=np.array([True, True, False, True]),
    propensity=np.array([0.5, 0.25, 0.9, 1.0]),
    reward=np.array([0.5, -0.5, 0.0, 0.5]),
    customers=np.arange(4),
)
ALWAYS, NEVER = np.ones(4), np.zeros(4)


def test_inverse_propensities_by_hand() -> None:
    estimate = ips(FOUR, ALWAYS)
    assert estimate.value == pytest.approx((2 * 0.5 - 4 * 0.5 + 0.5) / 4)
    assert estimate.effective_rows == pytest.approx(7**2 / (4 + 16 + 1))
    assert estimate.clipped == 0
    values = np.array([1.0, -2.0, 0.0, 0.5])
    assert estimate.standard_error == pytest.approx(values.std() / 2)


def test_self_normalised_by_hand() -> None:
    assert snips(FOUR, ALWAYS).value == pytest.approx((2 * 0.5 - 4 * 0.5 + 0.5) / 7)
    half = np.array([1.0, 0.0, 1.0, 0.0])
    assert snips(FOUR, half).value == pytest.approx(0.5 * 0.5)


def test_doubly_robust_by_hand() -> None:
    expected = np.array([0.4, -0.2, 0.1, 0.3])
    by_hand = [0.4 + 2 * 0.1, -0.2 + 4 * -0.3, 0.1, 0.3 + 0.2]
    assert doubly_robust(FOUR, ALWAYS, expected).value == pytest.approx(sum(by_hand) / 4)


def test_never_showing_is_worth_nothing_for_certain() -> None:
    for estimate in (ips(FOUR, NEVER), snips(FOUR, NEVER), doubly_robust(FOUR, NEVER, ALWAYS)):
        assert estimate == Estimate(0.0, 0.0, 0.0, 0)


def test_a_policy_differs_from_itself_by_nothing_and_from_another_by_their_values() -> None:
    expected = np.array([0.4, -0.2, 0.1, 0.3])
    assert difference(FOUR, ALWAYS, ALWAYS, expected) == Estimate(0.0, 0.0, 0.0, 0)
    other = np.array([1.0, 0.0, 0.0, 1.0])
    apart = doubly_robust(FOUR, ALWAYS, expected).value - doubly_robust(FOUR, other, expected).value
    gained = difference(FOUR, ALWAYS, other, expected)
    assert gained.value == pytest.approx(apart)
    assert gained.effective_rows == 1


def test_weights_are_clipped_and_counted() -> None:
    rare = LoggedDecisions(np.array([True]), np.array([1e-6]), np.array([0.5]), np.array([1]))
    estimate = ips(rare, np.ones(1))
    assert estimate.value == 0.5 * LARGEST_WEIGHT
    assert estimate.clipped == 1


def test_decisions_of_one_listener_count_as_alike() -> None:
    shown = np.ones(1000, dtype=bool)
    reward = np.where(np.arange(1000) < 500, 0.5, -0.5)
    alone = LoggedDecisions(shown, np.ones(1000), reward, np.arange(1000))
    together = LoggedDecisions(shown, np.ones(1000), reward, np.arange(1000) // 10)
    ratio = ips(together, np.ones(1000)).standard_error / ips(alone, np.ones(1000)).standard_error
    assert ratio == pytest.approx(np.sqrt(10))


@pytest.mark.parametrize("holdout", [0.0, 0.2])
def test_estimates_are_right_with_and_without_a_holdout(holdout: float) -> None:
    """Also where the serving policy shows for certain: then not showing is known to be worth nothing."""
    chance = np.random.default_rng(1)
    rows, cost, exploration = 200_000, 0.5, 0.1
    probability = chance.random(rows)
    serving = probability + chance.normal(0, 0.2, rows) >= cost
    chance_of_showing = np.where(serving, 1.0, exploration) * (1 - holdout)
    shown = chance.random(rows) < chance_of_showing
    reward = np.where(shown, (chance.random(rows) < probability) - cost, 0.0)
    log = LoggedDecisions(shown, chance_of_showing, reward, np.arange(rows))
    wanted = (probability >= 0.6).astype(np.float64)
    truth = float(np.mean(wanted * (probability - cost)))
    wrong_guess = np.full(rows, 0.3)
    for estimate in (ips(log, wanted), snips(log, wanted), doubly_robust(log, wanted, wrong_guess)):
        assert 0 < estimate.standard_error < 0.002
        assert abs(estimate.value - truth) < 3 * estimate.standard_error
        assert estimate.low < estimate.value < estimate.high
    guessed = doubly_robust(log, wanted, probability - cost)
    assert guessed.standard_error < doubly_robust(log, wanted, wrong_guess).standard_error
