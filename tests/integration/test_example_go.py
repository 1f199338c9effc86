"""The Go player of examples/go, built from what is checked in, asks a running service."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from devstack.places import REPOSITORY
from devstack.ports import LOOPBACK, free_port
from devstack.stack import Stack
from interlude.features.codec import hot_key
from tests.integration.decision_scene import UNHURRIED, running
from tests.listeners import hot_features

_EXAMPLE: Final = REPOSITORY / "examples" / "go"
_FETCH_SECONDS: Final = 60
_BUILD_SECONDS: Final = 180
_RUN_SECONDS: Final = 60
_GO: Final = shutil.which("go")

pytestmark = pytest.mark.skipif(_GO is None, reason="examples/go: no go on this machine")


def _go(*arguments: str, timeout_seconds: float) -> subprocess.CompletedProcess[str]:
    """Go as the user has it, with its caches; it neither fetches another Go nor changes go.mod."""
    environment = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}
    return subprocess.run(
        [str(_GO), *arguments],
        cwd=_EXAMPLE,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_seconds,
    )


@pytest.fixture(scope="module")
def player(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built player."""
    try:
        fetched = _go("mod", "download", timeout_seconds=_FETCH_SECONDS)
    except subprocess.TimeoutExpired:
        pytest.skip(f"examples/go: its modules did not come in {_FETCH_SECONDS} s")
    if fetched.returncode:
        pytest.skip(f"examples/go: its modules cannot be fetched, or go is too old: {fetched.stderr.strip()[-300:]}")
    binary = tmp_path_factory.mktemp("go") / "player"
    built = _go("build", "-buildvcs=false", "-o", str(binary), ".", timeout_seconds=_BUILD_SECONDS)
    assert built.returncode == 0, built.stderr
    return binary


def _run(player: Path, *arguments: str) -> str:
    done = subprocess.run([player, *arguments], capture_output=True, text=True, check=False, timeout=_RUN_SECONDS)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_asks_shows_and_reports(player: Path, stack: Stack, tmp_path: Path) -> None:
    with running(stack, tmp_path, settings=UNHURRIED) as scene:
        scene.redis.set(hot_key(4711), hot_features())
        arguments = ("-target", scene.target, "-customer", "4711", "-deadline", "20s")
        first, *reports = _run(player, *arguments, "-click").splitlines()
        assert first.startswith("show=true reason=REASON_SHOW model=")
        expected = [f"reported AD_EVENT_KIND_{kind}=true" for kind in ("CLICK", "IMPRESSION")]
        assert sorted(reports) == expected
        assert _run(player, *arguments).startswith("show=false reason=REASON_MINIMUM_GAP")
        assert "InvalidArgument" in _run(player, "-target", scene.target, "-customer", "-1", "-deadline", "20s")


def test_without_a_service_there_is_no_ad(player: Path) -> None:
    assert _run(player, "-target", f"{LOOPBACK}:{free_port()}").startswith("show=false reason=NOT_ASKED error: ")
