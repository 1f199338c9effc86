"""The native front (`native/`), where there is a Rust compiler. Standard library only.

Without one, or when the build fails, nothing is lost but speed: the decision service then answers through grpcio.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from devstack.crates import Crate
from devstack.places import REPOSITORY

CRATE: Final = Crate(
    "native",
    REPOSITORY / "native",
    ("Cargo.toml", "pyproject.toml", "batchfront.pyi", "src/*.rs"),
    (REPOSITORY / "requirements" / "native.txt",),
)
_WHEEL: Final = "*.whl"


def built_wheel() -> Path | None:
    """The wheel of these sources in the user's cache, None while there is none."""
    return CRATE.built(_WHEEL)


def build(maturin: Path, cargo: str, environment: Mapping[str, str]) -> Path:
    """Builds the wheel into the user's cache. Raises BuildFailed."""

    def command(scratch: Path) -> list[str]:
        build = [str(maturin), "build", "--release", "--quiet", "--manifest-path", str(CRATE.manifest)]
        return [*build, "--target-dir", f"{scratch}/target", "--out", f"{scratch}/kept"]

    return CRATE.build(command, _WHEEL, cargo, environment)
