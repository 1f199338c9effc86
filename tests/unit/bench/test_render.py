from typing import Any

from bench.render import FRESHNESS, PEERS, render


def _document(*figures: str) -> dict[str, Any]:
    value = {"value": 0.25, "unit": "× p50", "compared_to": "the peers"}
    return {
        "name": "decision",
        "machine": "2 × CPU",
        "commit": "abc",
        "at": "now",
        "figures": dict.fromkeys(figures, value),
    }


def test_each_figure_is_a_row() -> None:
    assert "| `p50_vs_peers` | 0.25 | × p50 | the peers |\n" in render([_document("p50_vs_peers")])


def test_the_peers_are_explained_where_they_were_measured() -> None:
    assert PEERS in render([_document("p50_vs_peers", "other")])
    assert PEERS not in render([_document("other")])


def test_how_freshness_was_measured_is_told_where_it_was() -> None:
    assert FRESHNESS in render([_document("events_per_second")])
    assert FRESHNESS not in render([_document("other")])
