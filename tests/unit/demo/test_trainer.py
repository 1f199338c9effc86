"""Stepping back: a process, its threads and its children."""

import os
import subprocess
import sys

import pytest

from demo.trainer import step_back

PARENT = """
import subprocess, sys, threading
threading.Thread(target=threading.Event().wait, daemon=True).start()
child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
print(child.pid, flush=True)
input()
child.communicate(b"\\n")
"""


@pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="only Linux has SCHED_IDLE")
def test_threads_and_children_step_back_too() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        step_back(process.pid)
        threads = [int(thread) for thread in os.listdir(f"/proc/{process.pid}/task")]
        policies = [os.sched_getscheduler(number) for number in (*threads, child)]
        process.communicate(b"\n")
    assert len(threads) == 2
    assert set(policies) == {os.SCHED_IDLE}
