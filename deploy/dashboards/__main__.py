"""Writes deploy/dashboards/*.json: `python -m deploy.dashboards`."""

import json
from pathlib import Path
from typing import Final

from deploy.dashboards.grafana import Dashboard
from deploy.dashboards.latency import LATENCY
from deploy.dashboards.policy import POLICY

FILES: Final = {
    Path(__file__).with_name(f"{name}.json"): page for name, page in (("latency", LATENCY), ("policy", POLICY))
}
"""Every page by its file."""


def render(dashboard: Dashboard) -> str:
    """The file's text."""
    return json.dumps(dashboard.to_json(), indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the files."""
    for file, dashboard in FILES.items():
        file.write_text(render(dashboard), encoding="utf-8")


if __name__ == "__main__":
    main()
