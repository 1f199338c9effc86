"""The checked-in dashboards are the generated ones, ask for what services export, and say what to do."""

import json
from pathlib import Path
from typing import Any

import pytest

import deploy.dashboards
from deploy.dashboards.__main__ import FILES, render
from deploy.dashboards.grafana import Dashboard
from docs.catalogue import exported_series
from tests.unit.deploy.queried import faults

_DOCUMENTS: list[dict[str, Any]] = [json.loads(file.read_text(encoding="utf-8")) for file in FILES]
_PANELS: list[dict[str, Any]] = [
    panel for document in _DOCUMENTS for panel in document["panels"] if panel["type"] != "row"
]
_each_document = pytest.mark.parametrize("document", _DOCUMENTS, ids=lambda document: str(document["uid"]))


@pytest.mark.parametrize(("file", "dashboard"), FILES.items(), ids=lambda each: getattr(each, "name", ""))
def test_the_file_is_what_the_code_makes(file: Path, dashboard: Dashboard) -> None:
    assert file.read_text(encoding="utf-8") == render(dashboard), "run 'python -m deploy.dashboards' and commit"


def test_every_file_has_its_code_and_every_page_a_name_of_its_own() -> None:
    assert set(Path(deploy.dashboards.__path__[0]).glob("*.json")) == set(FILES)
    assert len({document["uid"] for document in _DOCUMENTS}) == len(_DOCUMENTS)


@pytest.mark.parametrize("panel", _PANELS, ids=lambda panel: str(panel["title"]))
def test_every_query_names_what_a_service_exports(panel: dict[str, Any]) -> None:
    assert panel["targets"]
    for target in panel["targets"]:
        assert faults(target["expr"], exported_series()) == []


@pytest.mark.parametrize("panel", _PANELS, ids=lambda panel: str(panel["title"]))
def test_every_panel_says_what_to_do_and_asks_the_chosen_datasource(panel: dict[str, Any]) -> None:
    assert len(panel["description"].split()) > 10
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"]["uid"] == "${datasource}"


@_each_document
def test_panels_have_ids_of_their_own_and_do_not_overlap(document: dict[str, Any]) -> None:
    assert len({panel["id"] for panel in document["panels"]}) == len(document["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in document["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in cells) < 24
        assert not cells & taken, panel["title"]
        taken |= cells


@_each_document
def test_the_datasource_can_be_chosen(document: dict[str, Any]) -> None:
    (variable,) = document["templating"]["list"]
    assert (variable["name"], variable["type"], variable["query"]) == ("datasource", "datasource", "prometheus")
