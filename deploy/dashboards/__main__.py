"""Writes deploy/dashboards/latency.json: `python -m deploy.dashboards`."""

import json
from pathlib import Path
from typing import Final

from deploy.dashboards.grafana import Dashboard
from deploy.dashboards.latency import LATENCY

LATENCY_FILE: Final = Path(__file__).with_name("latency.json")


def render(dashboard: Dashboard) -> str:
    """The file's text."""
    return json.dumps(dashboard.to_json(), indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the file."""
    LATENCY_FILE.write_text(render(LATENCY), encoding="utf-8")


if __name__ == "__main__":
    main()
