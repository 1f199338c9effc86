"""Who belongs to a candidate's share: as many as were asked for, the same ones everywhere, others for the next candidate."""

import pytest

from interlude.models.rollout import is_in_share

_CUSTOMERS = range(20_000)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.5, 1.0])
def test_a_share_is_as_large_as_it_says(share: float) -> None:
    taken = sum(is_in_share("v1", share, customer_id) for customer_id in _CUSTOMERS)
    allowance = 4 * (share * (1 - share) * len(_CUSTOMERS)) ** 0.5
    assert taken == pytest.approx(share * len(_CUSTOMERS), abs=allowance)


def test_growing_a_share_keeps_whoever_is_in_it() -> None:
    small = {customer_id for customer_id in _CUSTOMERS if is_in_share("v1", 0.1, customer_id)}
    assert all(is_in_share("v1", 0.3, customer_id) for customer_id in small)


def test_each_version_draws_anew() -> None:
    one, other = (
        {customer_id for customer_id in _CUSTOMERS if is_in_share(version, 0.1, customer_id)} for version in ("a", "b")
    )
    assert len(one & other) == pytest.approx(0.01 * len(_CUSTOMERS), rel=0.4)


def test_the_draw_does_not_change_between_releases() -> None:
    assert [customer_id for customer_id in range(60) if is_in_share("0123456789abcdef", 0.1, customer_id)] == [
        3,
        6,
        36,
        55,
    ]
