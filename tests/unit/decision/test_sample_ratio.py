"""The check that experiments get the shares they were promised."""

import pytest

from interlude.contacts.campaign import Arm, Campaign
from interlude.contacts.experiment import assign
from services.decision import sample_ratio
from services.decision.sample_ratio import HOLDOUT, SampleRatios

_CAMPAIGN = Campaign(
    campaign_id="c", holdout_share=0.2, arms=(Arm(name="a", share=0.3), Arm(name="b", share=0.7)), experiment_salt="s"
)


def _deviations(ratios: SampleRatios) -> dict[str, float]:
    return {deviation.side: deviation.standard_errors for deviation in ratios.deviations()}


def _ask(ratios: SampleRatios, customer_id: int, campaign: Campaign = _CAMPAIGN) -> None:
    arm, _, holdout = assign(campaign, customer_id)
    ratios.add(campaign, customer_id, arm, reached=True, holdout=holdout)


def test_customers_drawn_as_promised_deviate_by_chance_alone() -> None:
    ratios = SampleRatios()
    for customer_id in range(20_000):
        _ask(ratios, customer_id)
    assert all(abs(each) < 4 for each in _deviations(ratios).values())
    assert set(_deviations(ratios)) == {"a", "b", HOLDOUT}


def test_a_side_that_loses_a_tenth_of_its_customers_is_found() -> None:
    ratios = SampleRatios()
    for customer_id in range(20_000):
        if assign(_CAMPAIGN, customer_id).arm == "b" or customer_id % 10:
            _ask(ratios, customer_id)
    assert _deviations(ratios)["a"] < -4
    assert _deviations(ratios)["b"] > 4


def test_a_customer_counts_once_however_often_asked() -> None:
    ratios = SampleRatios()
    for _ in range(100):
        _ask(ratios, 1)
    assert max(map(abs, _deviations(ratios).values())) < 3


def test_the_holdout_is_compared_among_those_whom_an_offer_reached() -> None:
    ratios = SampleRatios()
    for customer_id in range(1000):
        ratios.add(_CAMPAIGN, customer_id, "a", reached=False, holdout=True)
    assert _deviations(ratios)[HOLDOUT] == 0


def test_a_changed_experiment_begins_anew() -> None:
    ratios = SampleRatios()
    for customer_id in range(1000):
        ratios.add(_CAMPAIGN, customer_id, "a", reached=False, holdout=False)
    changed = _CAMPAIGN.model_copy(update={"experiment_salt": "t"})
    ratios.add(changed, 1, "b", reached=False, holdout=False)
    assert _deviations(ratios)["a"] == pytest.approx(-((0.3 / 0.7) ** 0.5))


def test_no_more_customers_are_kept_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample_ratio, "CUSTOMERS_KEPT", 10)
    ratios = SampleRatios()
    for customer_id in range(10):
        ratios.add(_CAMPAIGN, customer_id, "b", reached=True, holdout=False)
    before = _deviations(ratios)
    for customer_id in range(10, 1000):
        ratios.add(_CAMPAIGN, customer_id, "a", reached=True, holdout=True)
    assert _deviations(ratios) == before
