"""Campaign documents: every problem named, nothing half taken."""

import json
from pathlib import Path
from typing import Any

import pytest

from interlude.contacts.campaign import DEFAULT_CAMPAIGNS, InvalidCampaigns, read_campaigns


def _write(path: Path, *campaigns: dict[str, Any]) -> str:
    path.write_text(json.dumps({"campaigns": campaigns}))
    return str(path)


def test_no_path_gives_the_built_in_campaign() -> None:
    assert read_campaigns("") is DEFAULT_CAMPAIGNS
    assert DEFAULT_CAMPAIGNS.default.campaign_id == "premium-day"


def test_the_first_campaign_is_the_one_of_requests_that_name_none(tmp_path: Path) -> None:
    campaigns = read_campaigns(_write(tmp_path / "c.json", {"campaign_id": "a"}, {"campaign_id": "b"}))
    found = [campaigns.find(name) for name in ("", "a", "b", "c")]
    assert [campaign and campaign.campaign_id for campaign in found] == ["a", "a", "b", None]


def test_every_problem_is_named_with_its_path(tmp_path: Path) -> None:
    path = _write(
        tmp_path / "c.json",
        {"campaign_id": "Not Valid"},
        {"campaign_id": "b", "contacts_per_day": 65, "minimum_gap_minutes": -1, "color": "red"},
        {"campaign_id": "c"},
    )
    with pytest.raises(InvalidCampaigns) as caught:
        read_campaigns(path)
    places = [problem.split(":")[0] for problem in caught.value.problems]
    assert places == [
        "campaigns.0.campaign_id",
        "campaigns.1.contacts_per_day",
        "campaigns.1.minimum_gap_minutes",
        "campaigns.1.color",
    ]
    assert str(caught.value).count("\n  - ") == 4


def test_two_campaigns_of_one_name_are_refused(tmp_path: Path) -> None:
    path = _write(tmp_path / "c.json", {"campaign_id": "a"}, {"campaign_id": "a"})
    with pytest.raises(InvalidCampaigns, match="'a' appears 2 times"):
        read_campaigns(path)


@pytest.mark.parametrize("content", ["", "{", '{"campaigns": []}', "[]", "{}"])
def test_a_document_that_is_no_list_of_campaigns_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "c.json"
    path.write_text(content)
    with pytest.raises(InvalidCampaigns):
        read_campaigns(str(path))


def test_bytes_that_are_not_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_bytes(b'{"campaigns": "\xff"}')
    with pytest.raises(InvalidCampaigns):
        read_campaigns(str(path))


def test_a_missing_document_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidCampaigns, match=r"c\.json cannot be read: No such file"):
        read_campaigns(str(tmp_path / "c.json"))
