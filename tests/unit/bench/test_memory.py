"""Memory of a process tree: children count, and what they held is seen after it is gone."""

import os
import subprocess
import sys

import pytest

from bench.learning.memory import PeakMemory, tree_of

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux counts it")

_MIB = 1024 * 1024


def test_children_are_in_the_tree() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        assert {os.getpid(), child.pid} <= set(tree_of(os.getpid()))
        child.kill()
    assert child.pid not in tree_of(os.getpid())


def test_the_peak_of_a_child_is_seen() -> None:
    code = "import time; held = bytearray(200 * 2**20); held[::4096] = b'x' * len(held[::4096]); time.sleep(1.5)"
    with subprocess.Popen([sys.executable, "-S", "-c", code]) as child, PeakMemory(child.pid) as watched:
        child.wait()
    assert 200 * _MIB < watched.peak_bytes < 400 * _MIB
