import json
from pathlib import Path

import pytest

from bench import measured
from bench.measured import Figure, read_figures, write_figures


def test_figures_of_the_same_commit_are_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured, "DIRECTORY", tmp_path)
    figures = {"a": Figure(1.5, "ms", "nothing")}
    assert read_figures("chaos") == {}
    path = write_figures("chaos", figures)
    assert read_figures("chaos") == figures
    path.write_text(json.dumps({**json.loads(path.read_text()), "commit": "another"}))
    assert read_figures("chaos") == {}
