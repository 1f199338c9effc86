"""The checked-in dashboard is the generated one, asks for what services export, and says what to do."""

import json
from typing import Any

import pytest

from deploy.dashboards.__main__ import LATENCY_FILE, render
from deploy.dashboards.latency import LATENCY
from docs.catalogue import exported_series
from tests.unit.deploy.queried import faults

_DOCUMENT: dict[str, Any] = json.loads(LATENCY_FILE.read_text(encoding="utf-8"))
_PANELS: list[dict[str, Any]] = [panel for panel in _DOCUMENT["panels"] if panel["type"] != "row"]


def test_the_file_is_what_the_code_makes() -> None:
    assert LATENCY_FILE.read_text(encoding="utf-8") == render(LATENCY), "run 'python -m deploy.dashboards' and commit"


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


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    assert len({panel["id"] for panel in _DOCUMENT["panels"]}) == len(_DOCUMENT["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in _DOCUMENT["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in cells) < 24
        assert not cells & taken, panel["title"]
        taken |= cells


def test_the_datasource_can_be_chosen() -> None:
    (variable,) = _DOCUMENT["templating"]["list"]
    assert (variable["name"], variable["type"], variable["query"]) == ("datasource", "datasource", "prometheus")
