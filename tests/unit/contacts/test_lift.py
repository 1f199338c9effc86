"""The effect of an offer, with its interval."""

import random

import pytest

from interlude.contacts.lift import Group, lift, wilson


def test_newcombes_own_example() -> None:
    # Newcombe 1998, Statistics in Medicine 17:873, table II (a), method 10: 56/70 against 48/80.
    effect = lift(Group(70, 56), Group(80, 48))
    assert effect is not None
    assert effect.difference == pytest.approx(0.2)
    assert (round(effect.low, 4), round(effect.high, 4)) == (0.0524, 0.3339)
    assert effect.is_certain


def test_of_nobody_there_is_no_effect_to_tell() -> None:
    assert lift(Group(0, 0), Group(10, 1)) is None
    assert lift(Group(10, 1), Group(0, 0)) is None


def test_nobody_converted_in_either_group() -> None:
    effect = lift(Group(1000, 0), Group(100, 0))
    assert effect is not None
    assert effect.difference == 0
    assert effect.low < 0 < effect.high
    assert not effect.is_certain


def test_a_rate_of_all_or_none_stays_between_zero_and_one() -> None:
    assert wilson(Group(10, 0))[0] == 0.0
    assert wilson(Group(10, 10))[1] == pytest.approx(1.0)


def test_the_interval_holds_the_true_effect_about_95_times_in_100() -> None:
    source = random.Random(1998)
    held = 0
    for _ in range(500):
        treated = Group(1000, sum(source.random() < 0.05 for _ in range(1000)))
        withheld = Group(200, sum(source.random() < 0.02 for _ in range(200)))
        effect = lift(treated, withheld)
        assert effect is not None
        held += effect.low <= 0.03 <= effect.high
    assert 460 <= held <= 490
