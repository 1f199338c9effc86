"""Slices of listeners, and what becomes of one that a model serves badly."""

import numpy as np
import pytest

from services.trainer.resampling import Resampler
from services.trainer.slices import UNKNOWN, Dimension, Kinds, age_of, devices_of, gender_of, slice_qualities

NEW_YEAR_2026_MS = 1_767_225_600_000


@pytest.mark.parametrize(
    ("birth_year", "band"),
    [(0, UNKNOWN), (2002, "under 25"), (2001, "25 to 34"), (1991, "35 to 49"), (1976, "50 and over"), (1700, UNKNOWN)],
)
def test_age_bands(birth_year: int, band: str) -> None:
    assert age_of(birth_year, NEW_YEAR_2026_MS) == band


def test_genders_as_on_the_wire() -> None:
    assert [gender_of(number) for number in range(5)] == [UNKNOWN, "female", "male", "other", UNKNOWN]


def test_the_device_is_that_of_most_listens() -> None:
    features = np.zeros((3, 6), np.float32)
    features[:, 4] = (0.2, 0.5, 0.9)
    assert devices_of(features).codes.tolist() == [0, 1, 1]


def test_a_slice_that_is_served_badly_shows_it_and_the_others_do_not() -> None:
    chance = np.random.default_rng(1)
    codes = np.repeat(np.array([0, 1, 2], np.int32), 2000)
    truth = chance.choice([0.05, 0.9], 6000)
    labels = (chance.random(6000) < truth).astype(np.float64)
    answers = np.where(codes == 1, 1 - truth, truth)
    kinds = {Dimension.GENDER: Kinds(("female", "male", UNKNOWN), codes)}
    resampler = Resampler(np.arange(6000), seed=1)
    female, male = slice_qualities(kinds, labels, np.ones(6000), answers, truth, resampler)
    assert (female.dimension, female.name, female.rows) == ("gender", "female", 2000)
    assert female.harm.high < 0 < male.harm.low
    assert abs(female.gap) < female.gap_by_chance
    assert female.harm_over_champion is not None
    assert female.harm_over_champion.high == 0
    assert male.harm_over_champion is not None
    assert male.harm_over_champion.low > 1
    assert male.error > 0.8 > female.error
