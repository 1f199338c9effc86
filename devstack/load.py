"""The load generator of the measurements (`bench/load/`), built when the first of them needs it."""

import os
from pathlib import Path
from typing import Final

from devstack.crates import BuildFailed, Crate, find_cargo
from devstack.places import REPOSITORY

CRATE: Final = Crate("load", REPOSITORY / "bench" / "load", ("Cargo.toml", "src/*.rs"))
_BINARY: Final = "bin/interlude-load"


def load_generator() -> Path:
    """The program, from the user's cache where it was built before. Raises BuildFailed, also without a compiler."""
    built = CRATE.built(_BINARY)
    if built is not None:
        return built
    cargo = find_cargo()
    if cargo is None:
        raise BuildFailed("there is no Rust compiler (cargo) here")
    print("building the load generator (a minute, once) ...", flush=True)

    def command(scratch: Path) -> list[str]:
        install = [cargo, "install", "--quiet", "--no-track", "--path", str(CRATE.manifest.parent)]
        return [*install, "--target-dir", f"{scratch}/target", "--root", f"{scratch}/kept"]

    return CRATE.build(command, _BINARY, cargo, os.environ)
