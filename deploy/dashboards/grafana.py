"""Just enough of Grafana's dashboard format: rows of panels with Prometheus queries."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

_COLUMNS: Final = 24
_PANEL_HEIGHT: Final = 8
_PANELS_PER_LINE: Final = 3
_SCHEMA_VERSION: Final = 39
_DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}


class Unit(StrEnum):
    """Grafana's names of units."""

    SECONDS = "s"
    SHARE = "percentunit"
    PER_SECOND = "ops"
    COUNT = "short"
    BYTES = "bytes"


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL expression and the legend of its lines."""

    expression: str
    legend: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One graph. `description` says what it shows and what to do; `limit`, in the panel's unit, is drawn as a line. `signed`
    values may be below zero."""

    title: str
    description: str
    unit: Unit
    queries: tuple[Query, ...]
    limit: float | None = None
    logarithmic: bool = False
    stacked: bool = False
    signed: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A page. `uid` stays the same for ever: links and bookmarks name it."""

    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]

    def to_json(self) -> dict[str, Any]:
        """The document that Grafana imports."""
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.description,
            "tags": ["interlude"],
            "schemaVersion": _SCHEMA_VERSION,
            "version": 1,
            "editable": False,
            "graphTooltip": 1,
            "refresh": "10s",
            "timezone": "browser",
            "time": {"from": "now-1h", "to": "now"},
            "templating": {"list": [_datasource_variable()]},
            "panels": _lay_out(self.rows),
        }

    def queries(self) -> Iterable[Query]:
        """Every query of every panel."""
        return (query for row in self.rows for panel in row.panels for query in panel.queries)


def _datasource_variable() -> dict[str, Any]:
    return {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus", "hide": 0}


def _lay_out(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Rows one below the other, the panels of each in lines of three."""
    placed: list[dict[str, Any]] = []
    top = 0
    for row in rows:
        position = {"x": 0, "y": top, "w": _COLUMNS, "h": 1}
        placed.append({"id": len(placed) + 1, "type": "row", "title": row.title, "gridPos": position, "panels": []})
        top += 1
        for place, panel in enumerate(row.panels):
            line, column = divmod(place, _PANELS_PER_LINE)
            position = _position(column, top + line * _PANEL_HEIGHT)
            placed.append({"id": len(placed) + 1, "gridPos": position, **_panel(panel)})
        top += -(-len(row.panels) // _PANELS_PER_LINE) * _PANEL_HEIGHT
    return placed


def _position(column: int, top: int) -> dict[str, int]:
    width = _COLUMNS // _PANELS_PER_LINE
    return {"x": column * width, "y": top, "w": width, "h": _PANEL_HEIGHT}


def _panel(panel: Panel) -> dict[str, Any]:
    return {
        "type": "timeseries",
        "title": panel.title,
        "description": panel.description,
        "datasource": _DATASOURCE,
        "targets": [_target(place, query) for place, query in enumerate(panel.queries)],
        "fieldConfig": {"defaults": _field_defaults(panel), "overrides": []},
        "options": {
            "legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
    }


def _target(place: int, query: Query) -> dict[str, Any]:
    return {
        "refId": chr(ord("A") + place),
        "datasource": _DATASOURCE,
        "expr": query.expression,
        "legendFormat": query.legend,
        "range": True,
    }


def _field_defaults(panel: Panel) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if panel.limit is not None:
        steps.append({"color": "red", "value": panel.limit})
    return {
        "unit": panel.unit.value,
        "min": None if panel.logarithmic or panel.signed else 0,
        "thresholds": {"mode": "absolute", "steps": steps},
        "custom": {
            "drawStyle": "line",
            "lineWidth": 1,
            "fillOpacity": 30 if panel.stacked else 5,
            "showPoints": "never",
            "stacking": {"mode": "normal" if panel.stacked else "none"},
            "scaleDistribution": {"type": "log", "log": 10} if panel.logarithmic else {"type": "linear"},
            "thresholdsStyle": {"mode": "line" if panel.limit is not None else "off"},
        },
    }
