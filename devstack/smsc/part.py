"""The operator as a part of the stack."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Final

from devstack.ports import LOOPBACK, free_port, is_open
from devstack.process import ChildProcess
from devstack.smsc.behaviour import SmscSettings

READY_TIMEOUT_S: Final = 20.0


class SmscServer:
    """An operator on a free port; its book of accepted messages outlives a restart."""

    def __init__(self, directory: Path, log_directory: Path, settings: SmscSettings) -> None:
        """`directory` is created for it alone."""
        directory.mkdir(parents=True)
        self.settings: Final = settings
        self.host: Final = LOOPBACK
        self.port: Final = free_port()
        self.record: Final = directory / "accepted.jsonl"
        command = [sys.executable, "-m", "devstack.smsc", "--port", str(self.port), "--record", str(self.record)]
        for name, value in asdict(settings).items():
            command.append(f"--{name.replace('_', '-')}={value}")
        self.process: Final = ChildProcess("smsc", command, log=log_directory / "smsc.log")

    def ready(self) -> bool:
        """Whether it accepts connections."""
        return is_open(self.port)
