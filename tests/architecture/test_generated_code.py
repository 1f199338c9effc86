"""The checked-in code of `interlude/v1` is what `make proto` writes."""

from pathlib import Path

from devstack.places import REPOSITORY
from devstack.protos import generate

_PACKAGE = Path("interlude/v1")


def _content(directory: Path) -> dict[str, str]:
    files = (directory / _PACKAGE).glob("*_pb2*")
    return {path.name: path.read_text() for path in files if path.suffix in (".py", ".pyi")}


def test_generated_code_is_current(tmp_path: Path) -> None:
    generate(tmp_path)
    generated = _content(tmp_path)
    assert "decision_pb2_grpc.py" in generated
    assert _content(REPOSITORY) == generated, "run 'make proto' and commit what changes"
