"""Campaigns: which one a request means, and rules that fields follow together."""

from typing import Any

import pytest
from pydantic import ValidationError

from interlude.contacts.campaign import DEFAULT_CAMPAIGNS, Campaign, Campaigns


def _campaigns(*campaign_ids: str) -> Campaigns:
    return Campaigns(campaigns=tuple(Campaign(campaign_id=campaign_id) for campaign_id in campaign_ids))


def test_the_built_in_campaign() -> None:
    assert DEFAULT_CAMPAIGNS.default.campaign_id == "premium-day"


def test_the_first_campaign_is_the_one_of_requests_that_name_none() -> None:
    campaigns = _campaigns("a", "b")
    found = [campaigns.find(name) for name in ("", "a", "b", "c")]
    assert [campaign and campaign.campaign_id for campaign in found] == ["a", "a", "b", None]


def test_two_campaigns_of_one_name_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"campaigns\[2\]\.campaign_id: is 'a', as that of campaigns\[0\] is"):
        _campaigns("a", "b", "a")


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        (
            {"starts_at": "2027-01-02T00:00:00Z", "ends_at": "2027-01-02T00:00:00Z"},
            "ends_at: .* is not after starts_at",
        ),
        ({"starts_at": "2027-01-02T01:00:00+01:00", "ends_at": "2027-01-02T00:00:00Z"}, "is not after starts_at"),
        ({"budget": {"discounts": 1, "pacing": "even"}}, "budget.pacing: is even, which needs"),
        ({"budget": {"discounts": 1, "pacing": "even"}, "ends_at": "2027-01-02T00:00:00Z"}, "budget.pacing: is even"),
        ({"arms": [{"name": "a", "share": 0.5}]}, "arms: the shares add up to 0.5, expected 1"),
        ({"arms": [{"name": "a", "share": 0.5}, {"name": "a", "share": 0.5}]}, r"arms\[1\].name: is 'a'"),
        ({"contacts_per_day": -1}, "contacts_per_day"),
        ({"budget": {"discounts": 2**63}}, "budget.discounts"),
    ],
)
def test_fields_that_do_not_go_together_are_refused(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        Campaign.model_validate({"campaign_id": "a", **fields})


def test_a_window_in_two_zones_is_taken() -> None:
    fields = {"campaign_id": "a", "starts_at": "2027-01-02T01:00:00+02:00", "ends_at": "2027-01-02T00:00:00Z"}
    campaign = Campaign.model_validate(fields)
    assert (campaign.starts_at_ms, campaign.ends_at_ms) == (1798844400000, 1798848000000)


def test_ten_tenths_are_one() -> None:
    arms = [{"name": f"arm-{number}", "share": 0.1} for number in range(10)]
    assert len(Campaign.model_validate({"campaign_id": "a", "arms": arms}).arms) == 10
