"""Every alert asks for what services export and leads to a page that exists."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from devstack.places import REPOSITORY
from docs.catalogue import exported_series
from tests.unit.deploy.queried import faults

PROMTOOL: Final = shutil.which("promtool")
CASES: Final = Path(__file__).with_name("alert_cases.yaml")
_RUNBOOKS = Path("docs/runbooks")
_PAGES = sorted((REPOSITORY / _RUNBOOKS).glob("*.md"))
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
    pages = {path.stem for path in (REPOSITORY / _RUNBOOKS).glob("*.md")} - {"README"}
    assert pages == {rule["alert"] for rule in _RULES}


def test_alerts_have_names_of_their_own() -> None:
    assert len({rule["alert"] for rule in _RULES}) == len(_RULES)


@pytest.mark.skipif(PROMTOOL is None, reason="alerts: no promtool on this machine (Debian: prometheus)")
def test_alerts_ring_when_they_should_and_not_else() -> None:
    checked = subprocess.run([PROMTOOL or "", "check", "rules", *_FILES], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    tested = subprocess.run([PROMTOOL or "", "test", "rules", CASES], capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_the_cases_are_about_alerts_that_exist() -> None:
    cases = yaml.safe_load(CASES.read_text(encoding="utf-8"))["tests"]
    named = {check["alertname"] for case in cases for check in case["alert_rule_test"]}
    assert named <= {rule["alert"] for rule in _RULES}


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.stem)
def test_commands_of_a_runbook_name_their_namespace(page: Path) -> None:
    commands = re.findall(r"kubectl [^\n`]+", page.read_text(encoding="utf-8"))
    elsewhere = ("kubectl -n interlude ", "kubectl patch --local ")
    assert [command for command in commands if not command.startswith(elsewhere)] == []


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.stem)
def test_links_between_runbooks_lead_somewhere(page: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!http)([^)#\s]*)(?:#([^)]*))?\)", page.read_text(encoding="utf-8")):
        linked = page.parent / target if target else page
        assert linked.exists(), target
        headings = re.findall(r"^#+ (.*)$", linked.read_text(encoding="utf-8"), re.MULTILINE) if anchor else []
        assert not anchor or anchor in [_anchor(heading) for heading in headings], (target, anchor)


def _anchor(heading: str) -> str:
    return re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("rule", _RULES, ids=lambda rule: str(rule["alert"]))
def test_whoever_is_woken_is_told_when_it_is_over(rule: dict[str, Any]) -> None:
    runbook = (REPOSITORY / _RUNBOOKS / f"{rule['alert']}.md").read_text(encoding="utf-8")
    assert rule["labels"]["severity"] != "page" or "\n## It is over when\n" in runbook
