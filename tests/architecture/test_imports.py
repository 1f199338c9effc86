"""The borders between the parts hold, as the contracts in pyproject.toml draw them."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Final

from devstack.places import REPOSITORY

_LINTER: Final = Path(sys.executable).with_name("lint-imports")
_LINES: Final = {
    "layers": ("interlude/models/store.py", "import services.decision.settings"),
    "library": ("interlude/events/topics.py", "import interlude.servicekit.logs"),
    "servicekit": ("interlude/servicekit/logs.py", "import interlude.features.schema"),
    "services": ("services/sms/pace.py", "import services.enricher.settings"),
    "pure": ("services/decision/policy/facts.py", "import interlude.contacts.ledger"),
    "cycles": ("interlude/features/schema.py", "import interlude.features.codec"),
    "grpc": ("services/decision/engine.py", "import grpc"),
    "redis": ("services/decision/engine.py", "import redis"),
    "kafka": ("services/trainer/gate/judging.py", "import confluent_kafka"),
    "onnxruntime": ("services/decision/champion.py", "import onnxruntime"),
    "training": ("interlude/models/scorer.py", "import sklearn"),
}
"""For each contract a line that would break it, and where."""


def _configured() -> dict[str, Any]:
    with (REPOSITORY / "pyproject.toml").open("rb") as file:
        linter: dict[str, Any] = tomllib.load(file)["tool"]["importlinter"]
    return linter


def _lint(directory: Path) -> subprocess.CompletedProcess[str]:
    command = [str(_LINTER), "--no-cache", "--no-logo", "--config", str(REPOSITORY / "pyproject.toml")]
    # Wide enough for every name and its verdict to stand on one line.
    environment = {**os.environ, "COLUMNS": "200"}
    return subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def test_all_contracts_are_kept() -> None:
    done = _lint(REPOSITORY)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_contract_notices_a_breach(tmp_path: Path) -> None:
    """On a copy of the code with one import too many for each contract."""
    for package in _configured()["root_packages"]:
        shutil.copytree(REPOSITORY / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    for module, line in _LINES.values():
        path = tmp_path / module
        path.write_text(f"{path.read_text(encoding='utf-8')}\n{line}\n", encoding="utf-8")
    verdicts = _lint(tmp_path).stdout
    contracts = {contract["id"]: contract["name"] for contract in _configured()["contracts"]}
    assert contracts.keys() == _LINES.keys()
    for identifier, name in contracts.items():
        assert f"{name} BROKEN" in verdicts, f"{identifier}: {verdicts}"
