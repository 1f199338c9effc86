"""How a process tells another what it found: a JSON file that is replaced in one step."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_report(path: Path, report: Mapping[str, Any]) -> None:
    """Replace the file: whoever reads sees all of `report`, or all of what was there before."""
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(report))
    draft.replace(path)


def read_report(path: Path) -> dict[str, Any]:
    """What the file says; nothing while there is none."""
    report: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return report
