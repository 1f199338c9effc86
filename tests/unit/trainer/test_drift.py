"""The stability index: nothing for the same spread, the formula's value for a known change, and ties that fill deciles."""

import math

import numpy as np
import pytest

from interlude.features.schema import STATE_FEATURE_NAMES
from services.trainer.data_checks import LABEL_RATE, PSI_REFUSED, check_rows
from services.trainer.drift import stability_index, summarise

WIDTH = len(STATE_FEATURE_NAMES)


def uniform(rows: int = 5000, seed: int = 1) -> np.ndarray:
    """Shares anywhere between 0 and 1."""
    return np.random.default_rng(seed).random(rows).astype(np.float32)


def test_the_same_spread_has_no_index() -> None:
    assert stability_index(summarise(uniform()), uniform()) == 0.0
    assert stability_index(summarise(uniform()), uniform(seed=2)) < 0.02


def test_a_known_change_has_the_value_of_the_formula() -> None:
    then = summarise(np.array([0.0, 1.0] * 50, np.float32))
    now = np.array([0.0] * 80 + [1.0] * 20, np.float32)
    expected = (0.8 - 0.5) * math.log(0.8 / 0.5) + (0.2 - 0.5) * math.log(0.2 / 0.5)
    assert then["shares"] == [0.5, 0.5, 0.0]
    assert stability_index(then, now) == pytest.approx(expected)


def test_a_value_that_fills_most_deciles_is_one_bin() -> None:
    then = summarise(np.array([0.0] * 95 + [0.5] * 5, np.float32))
    assert then == {"edges": [0.0], "shares": [0.95, 0.05]}


def test_values_where_there_were_none_before_count_much() -> None:
    assert stability_index(summarise(uniform()), uniform() + 2) > PSI_REFUSED


def good() -> tuple[np.ndarray, np.ndarray]:
    """Labels and features that pass."""
    features = np.random.default_rng(3).random((1000, WIDTH)).astype(np.float32)
    return (features[:, 0] > 0.8).astype(np.float64), features


def test_good_rows_pass_and_are_summarised() -> None:
    labels, features = good()
    report = check_rows(labels, features, 0, {})
    assert report.refusals == ()
    assert report.drift == {}
    assert set(report.summary) == set(STATE_FEATURE_NAMES)
    assert report.to_json()["passed"]


def test_each_flaw_is_told() -> None:
    labels, features = good()
    broken = features.copy()
    broken[0, 0], broken[1, 1] = np.nan, 1.5
    flaws = check_rows(np.zeros(1000), broken, 2, {}).checks
    assert [check.name for check in flaws if not check.passed] == ["finite", "range", "repeated", "label_rate"]
    assert not check_rows(np.ones(1000), features, 0, {}).to_json()["passed"]
    assert check_rows(labels, features, 0, {}).label_rate > LABEL_RATE[0]


def test_drift_is_told_and_refused_only_where_nothing_is_left() -> None:
    labels, features = good()
    before = check_rows(labels, features, 0, {}).summary
    shifted = features.copy()
    shifted[:, 0] = shifted[:, 0] ** 3
    told = check_rows(labels, shifted, 0, before)
    assert told.drifted == [STATE_FEATURE_NAMES[0]]
    assert told.refusals == ()
    shifted[:, 0] = 0.0
    refused = check_rows(labels, shifted, 0, before)
    (sentence,) = refused.refusals
    assert sentence.startswith(f"{STATE_FEATURE_NAMES[0]} has nothing in common")


def test_columns_are_those_that_are_named() -> None:
    labels, features = good()
    some = check_rows(labels, features[:, [4, 0]], 0, {}, ("mobile", "morning"))
    assert some.summary["morning"] == summarise(features[:, 0])
    assert some.summary["mobile"] == summarise(features[:, 4])
