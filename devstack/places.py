"""Where things lie: the repository, its `var/`, and the user's cache. Standard library only."""

from __future__ import annotations

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
VAR = REPOSITORY / "var"
LOGS = VAR / "log"
RUN = VAR / "run"


def cache_directory() -> Path:
    """Interlude's folder in the user's cache (XDG_CACHE_HOME, else ~/.cache). Not created here."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "interlude"
