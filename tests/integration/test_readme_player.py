"""The player in README.md runs as it stands there."""

import json
import re
import subprocess
import sys
from pathlib import Path

from devstack.places import REPOSITORY
from devstack.stack import Stack
from interlude.features.codec import hot_key
from tests.integration.decision_scene import UNHURRIED, running
from tests.listeners import hot_features

_PLAYER = re.compile(r"## Call it from a player\n.*?```python\n(.*?)```", re.DOTALL)


def test_it_asks_shows_and_reports(stack: Stack, tmp_path: Path) -> None:
    found = _PLAYER.search((REPOSITORY / "README.md").read_text(encoding="utf-8"))
    assert found
    endpoints = tmp_path / "var" / "run" / "endpoints.json"
    endpoints.parent.mkdir(parents=True)
    with running(stack, tmp_path / "service", settings=UNHURRIED) as scene:
        scene.redis.set(hot_key(42), hot_features())
        endpoints.write_text(json.dumps({"decision": scene.target}), encoding="utf-8")
        # A first process on a busy machine may need longer than a track would wait.
        player = found[1].replace("deadline_ms=50", "deadline_ms=20_000")
        done = subprocess.run(
            [sys.executable, "-c", player],
            cwd=tmp_path,
            env={"PYTHONPATH": str(REPOSITORY)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("42 True SHOW "), done.stdout
