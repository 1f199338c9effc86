"""Uplift against a truth that is known: effects whatever the pair says, and which way of choosing sells more."""

import numpy as np
import numpy.typing as npt
import pytest

from services.trainer.linear import Vector
from services.trainer.uplift import GROUPS, Outcomes, Pair, compare, effects, groups_of, mean_effect
from services.trainer.uplifting import fit_pair

ROWS = 20_000


class World:
    """Half of the listeners are sure to like the offer and take it anyway; the others are persuaded by it, by `change`."""

    def __init__(self, seed: int, change: float = 0.1) -> None:
        chance = np.random.default_rng(seed)
        self.sure = chance.random(ROWS) < 0.5
        self.effect = np.where(self.sure, 0.0, change)
        # Shown by a policy that prefers the sure ones, as a model of clicks would.
        propensity = np.where(self.sure, 0.8, 0.2)
        shown = chance.random(ROWS) < propensity
        self.without = np.where(self.sure, 0.3, 0.02)
        converted = chance.random(ROWS) < self.without + shown * self.effect
        did = np.where(shown, propensity, 1 - propensity)
        self.outcomes = Outcomes(shown, did, converted, np.arange(ROWS, dtype=np.int64))

    @property
    def pair(self) -> Pair:
        """One that knows the truth."""
        return Pair(self.without + self.effect, self.without)


def test_effects_are_true_whatever_the_pair_says() -> None:
    wrong = Pair(np.full(ROWS, 0.4), np.full(ROWS, 0.1))
    for pair in (wrong, World(0).pair):
        hits = 0
        for seed in range(100):
            world = World(seed)
            found = mean_effect(effects(world.outcomes, pair), world.outcomes.customers)
            hits += found.low <= world.effect.mean() <= found.high
        assert 88 <= hits <= 100
    naive = World(0).outcomes
    difference = naive.converted[naive.shown].mean() - naive.converted[~naive.shown].mean()
    assert difference > 0.15, "without propensities the sure ones pass for an effect three times as large"


def test_choosing_by_uplift_gains_what_the_truth_says() -> None:
    world = World(1)
    shows = world.sure.astype(np.float64)
    found = compare(world.outcomes, world.pair, shows, "champion abc")
    highest = np.zeros(ROWS)
    highest[np.argsort(-world.effect, kind="stable")[: int(shows.sum())]] = 1
    truth = float(((highest - shows) * world.effect).mean())
    assert found.gain.low < truth < found.gain.high
    assert found.is_better
    assert found.share == shows.mean()
    assert found.sentence.startswith("choosing by uplift is better than champion abc: +0.0")


def test_where_the_offer_changes_nobody_uplift_is_not_better() -> None:
    better = [
        compare(world.outcomes, world.pair, world.sure.astype(np.float64), "champion abc").is_better
        for world in (World(seed, change=0.0) for seed in range(100))
    ]
    assert sum(better) <= 7


def test_the_policy_itself_gains_nothing_over_itself() -> None:
    world = World(2)
    shows = (~world.sure).astype(np.float64)
    found = compare(world.outcomes, world.pair, shows, "champion abc")
    assert found.gain == mean_effect(np.zeros(ROWS), world.outcomes.customers)
    assert not found.is_better
    assert "is not shown to be better than champion abc" in found.sentence


def test_groups_go_from_the_lowest_uplift_to_the_highest() -> None:
    world = World(3)
    groups = groups_of(world.outcomes, world.pair)
    assert [group.rows for group in groups] == [ROWS // GROUPS] * GROUPS
    assert [group.promised for group in groups] == sorted(group.promised for group in groups)
    assert groups[0].seen.low < 0 < groups[0].seen.high
    assert groups[-1].seen.low > 0.05


def test_decisions_of_one_listener_are_not_so_many_listeners() -> None:
    values = np.repeat(np.random.default_rng(4).random(100), 10)
    alone = mean_effect(values, np.arange(1000, dtype=np.int64))
    together = mean_effect(values, np.repeat(np.arange(100, dtype=np.int64), 10))
    assert together.value == alone.value
    assert together.high - together.low == pytest.approx((alone.high - alone.low) * 10**0.5)


def test_every_decision_is_judged_by_models_that_did_not_see_its_fold() -> None:
    world, folds = World(5), (np.arange(ROWS) % 4).astype(np.int32)

    def fit(shown: bool, fold: int) -> "Says":
        return Says(fold + 10 * shown)

    pair = fit_pair(world.outcomes, folds, 4, fit)
    np.testing.assert_array_equal(pair.without, folds)
    np.testing.assert_array_equal(pair.with_offer, folds + 10)


class Says:
    """A model that says its own number."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __call__(self, places: npt.NDArray[np.bool_]) -> Vector:
        """The same of every decision."""
        return np.full(int(places.sum()), float(self._number))
