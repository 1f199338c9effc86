"""The bootstrap: intervals of the right width, by listener, the same for the same seed."""

import time

import numpy as np
import pytest

from services.trainer.resampling import Resampler


def test_interval_of_a_mean_is_as_wide_as_theory_says() -> None:
    chance = np.random.default_rng(1)
    values = chance.normal(0.3, 1.0, 20_000)
    interval = Resampler(np.arange(20_000), seed=1).mean(values, np.ones(20_000))
    assert interval.value == pytest.approx(values.mean())
    assert interval.high - interval.low == pytest.approx(2 * 1.96 / np.sqrt(20_000), rel=0.15)
    assert interval.low < interval.value < interval.high


def test_rows_of_one_listener_count_as_one() -> None:
    chance = np.random.default_rng(2)
    values = np.repeat(chance.normal(0, 1, 400), 25)
    by_row = Resampler(np.arange(10_000), seed=1).mean(values, np.ones(10_000))
    by_listener = Resampler(np.repeat(np.arange(400), 25), seed=1).mean(values, np.ones(10_000))
    assert by_listener.high - by_listener.low > 3 * (by_row.high - by_row.low)


def test_the_same_seed_gives_the_same_interval_and_pairs_measures() -> None:
    values, groups = np.random.default_rng(3).random(500), np.arange(500) // 2
    first, again = (Resampler(groups, seed=9).mean(values, np.ones(500)) for _ in range(2))
    assert first == again
    assert Resampler(groups, seed=10).mean(values, np.ones(500)) != first
    resampler = Resampler(groups, seed=9)
    apart = resampler.mean(values - values, np.ones(500))
    assert (apart.low, apart.high) == (0.0, 0.0)


def test_what_is_no_number_stays_none() -> None:
    resampler = Resampler(np.arange(4), seed=1)
    for values, weights in ((np.full(4, np.inf), np.ones(4)), (np.ones(4), np.zeros(4))):
        interval = resampler.mean(values, weights)
        assert np.isnan([interval.value, interval.low, interval.high]).all()


def test_a_million_rows_cost_less_than_a_second_of_processor_time() -> None:
    groups = np.random.default_rng(4).integers(0, 300_000, 1_000_000)
    values = np.random.default_rng(5).random(1_000_000)
    began = time.process_time()
    Resampler(groups, seed=1).mean(values, np.ones(1_000_000))
    assert time.process_time() - began < 1
