"""How a child process tells the demo what it measured: a JSON file that is replaced in one step."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_status(path: Path, status: Mapping[str, Any]) -> None:
    """Replace the file: whoever reads sees all of `status` or all of what was before."""
    draft = path.with_suffix(f".{os.getpid()}.new")
    draft.write_text(json.dumps(status))
    draft.replace(path)


def read_status(path: Path) -> dict[str, Any] | None:
    """What the file says, None while there is none."""
    try:
        status: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    return status
