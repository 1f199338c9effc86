"""How long the set-up before this run took: `make demo` installs what is missing first, and leaves its seconds in a file."""

from pathlib import Path
from typing import Final

from devstack.places import RUN

SETUP_SECONDS_FILE: Final = RUN / "setup-seconds"


def take_setup_seconds(path: Path = SETUP_SECONDS_FILE) -> float:
    """The seconds in the file, which is removed: they count for one run. 0 where nothing had to be set up."""
    try:
        seconds = float(path.read_text())
    except (FileNotFoundError, ValueError):
        return 0.0
    path.unlink(missing_ok=True)
    return seconds
