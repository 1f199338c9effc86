import os
import sys
from pathlib import Path

import pytest

from devstack import crates
from devstack.crates import BuildFailed, Crate, find_cargo


@pytest.fixture
def crate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Crate:
    monkeypatch.setattr(crates, "cache_directory", lambda: tmp_path / "cache")
    (tmp_path / "Cargo.toml").write_text("one")
    return Crate("tool", tmp_path, ("Cargo.toml",))


def _leave(name: str) -> crates.Command:
    program = "import pathlib, sys; at = pathlib.Path(sys.argv[1]); at.mkdir(); (at / sys.argv[2]).touch()"
    return lambda scratch: [sys.executable, "-c", program, str(scratch / "kept"), name]


def test_what_is_built_is_found_until_the_sources_change(crate: Crate) -> None:
    assert crate.built("tool") is None
    built = crate.build(_leave("tool"), "tool", "/bin/cargo", os.environ)
    assert crate.built("tool") == built
    crate.manifest.write_text("two")
    assert crate.built("tool") is None


def test_a_failure_says_how_the_output_ended(crate: Crate) -> None:
    with pytest.raises(BuildFailed, match="no such crate"):
        crate.build(lambda _: [sys.executable, "-c", "exit('no such crate')"], "tool", "/bin/cargo", os.environ)
    with pytest.raises(BuildFailed, match="left no tool"):
        crate.build(_leave("other"), "tool", "/bin/cargo", os.environ)


def test_cargo_is_found_where_rustup_puts_it(tmp_path: Path) -> None:
    assert find_cargo({"PATH": "", "CARGO_HOME": str(tmp_path)}) is None
    cargo = tmp_path / "bin" / "cargo"
    cargo.parent.mkdir()
    cargo.touch(0o755)
    assert find_cargo({"PATH": "", "CARGO_HOME": str(tmp_path)}) == str(cargo)
