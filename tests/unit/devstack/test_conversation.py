"""Talking with a child process line by line."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.conversation import ConversingProcess
from devstack.process import ProcessFailed

ECHO = """
import sys
for line in sys.stdin:
    if line == "end\\n":
        sys.exit("it was told to end")
    print("heard", line, end="", flush=True)
"""


@pytest.fixture
def child(tmp_path: Path) -> Iterator[ConversingProcess]:
    """A child that says what it heard."""
    process = ConversingProcess("echo", [sys.executable, "-c", ECHO], log=tmp_path / "echo.log")
    process.start()
    yield process
    process.kill()


def test_a_line_is_answered_by_a_line(child: ConversingProcess) -> None:
    child.say("one")
    child.say("two")
    assert child.hear(10) == "heard one"
    assert child.hear(10) == "heard two"
    assert child.hear(0) is None


def test_who_ends_instead_of_answering_is_found_out(child: ConversingProcess) -> None:
    child.say("end")
    with pytest.raises(ProcessFailed, match="it was told to end"):
        child.hear(10)
