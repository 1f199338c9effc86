"""`make proto`: writes the generated code of `interlude/v1` from `proto/`."""

import subprocess
import sys
from pathlib import Path
from typing import Final

from devstack.places import REPOSITORY

_PROTO: Final = REPOSITORY / "proto"
_FILES: Final = ("interlude/v1/decision.proto", "interlude/v1/events.proto")
# The one file with a service; the other would generate an empty module.
_SERVICES: Final = ("interlude/v1/decision.proto",)


def generate(target: Path) -> None:
    """Writes messages with types for all files, stubs with types for the services, below `target`.

    Raises subprocess.CalledProcessError; what was wrong is on standard error.
    """
    _run([f"--python_out={target}", f"--pyi_out={target}", *_FILES])
    _run([f"--grpc_python_out={target}", f"--mypy_grpc_out=quiet:{target}", *_SERVICES])


def _run(arguments: list[str]) -> None:
    plugin = f"--plugin=protoc-gen-mypy_grpc={Path(sys.executable).with_name('protoc-gen-mypy_grpc')}"
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", f"-I{_PROTO}", plugin, *arguments], check=True)


if __name__ == "__main__":
    generate(REPOSITORY)
