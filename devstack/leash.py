"""Runs a command that the kernel kills when the process that started it dies, however it dies.

Called as a script (`python -I -S leash.py <parent pid> <command> ...`) that turns into the command. A `preexec_fn` would do
the same but is unsafe in a parent with threads (gRPC, librdkafka). Only Linux has the signal; elsewhere the command
just runs, and the parent ends its children on every exit that it survives to see.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def _die_with_parent(parent: int) -> None:
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent may have died before the call above took effect; then we were given to another process.
    if os.getppid() != parent:
        sys.exit(1)


def main(arguments: list[str]) -> None:
    """`arguments`: the parent's process id, then the command with its arguments."""
    _die_with_parent(int(arguments[0]))
    os.execvp(arguments[1], arguments[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
