"""Every alert asks for what services export and leads to a page that exists."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from devstack.places import REPOSITORY
from docs.catalogue import exported_series
from tests.unit.deploy.queried import faults

_RUNBOOKS = Path("docs/runbooks")
_FILES = sorted((REPOSITORY / "deploy/alerts").glob("*.yaml"))
_GROUPS = [group for file in _FILES for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]]
_RULES: list[dict[str, Any]] = [rule for group in _GROUPS for rule in group["rules"]]


@pytest.mark.parametrize("rule", _RULES, ids=lambda rule: str(rule["alert"]))
def test_every_alert_names_what_a_service_exports(rule: dict[str, Any]) -> None:
    assert faults(rule["expr"], exported_series()) == []


@pytest.mark.parametrize("rule", _RULES, ids=lambda rule: str(rule["alert"]))
def test_every_alert_says_what_is_the_matter_and_leads_to_its_runbook(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["runbook_url"] == f"{_RUNBOOKS}/{rule['alert']}.md"
    runbook = (REPOSITORY / _RUNBOOKS / f"{rule['alert']}.md").read_text(encoding="utf-8")
    for heading in (f"# {rule['alert']}", "## What it means", "## Look here", "## Do this"):
        assert f"{heading}\n" in runbook


def test_no_runbook_is_left_without_its_alert() -> None:
    pages = {path.stem for path in (REPOSITORY / _RUNBOOKS).glob("*.md")}
    assert pages == {rule["alert"] for rule in _RULES}


def test_alerts_have_names_of_their_own() -> None:
    assert len({rule["alert"] for rule in _RULES}) == len(_RULES)
