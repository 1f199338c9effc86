"""Every branch of the policy is taken by its tests, without those that try cases at random: what chance covers, chance uncovers."""

import subprocess
import sys
from pathlib import Path
from typing import Final

from devstack.places import REPOSITORY

_TESTS: Final = REPOSITORY / "tests" / "unit" / "decision"
_AT_RANDOM: Final = ("whatever_its_shortcuts", "turns_the_answer", "each_way", "always_the_same", "realised_shares")
_SLOW: Final = ("every_combination",)


def test_every_branch_of_the_policy_is_taken(tmp_path: Path) -> None:
    files = [*sorted(_TESTS.glob("test_policy*.py")), _TESTS / "test_golden_decisions.py"]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *map(str, files)]
    command += ["-k", " and ".join(f"not {name}" for name in (*_AT_RANDOM, *_SLOW))]
    command += ["--cov=services/decision/policy", "--cov-branch", "--cov-fail-under=100", "--cov-report=term-missing"]
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        env={"COVERAGE_FILE": str(tmp_path / "coverage"), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
