import json
import stat
from pathlib import Path

import pytest

from devstack import endpoints


def test_the_table_names_every_address_and_no_process_id(tmp_path: Path) -> None:
    path = tmp_path / "endpoints.json"
    path.write_text(json.dumps({"kafka": "127.0.0.1:1", "smsc": {"port": 2}, "pids": {"kafka": 3}}))
    assert endpoints.render_table(path).split() == ["kafka", "127.0.0.1:1", "smsc.port", "2"]


def test_the_trainers_key_is_readable_for_its_owner_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "trainer.env"
    monkeypatch.setattr(endpoints, "RUN", tmp_path)
    monkeypatch.setattr(endpoints, "TRAINER_ENVIRONMENT", path)
    path.touch(mode=0o644)
    endpoints.write_trainer_environment({"TRAINER_MODEL_STORE": "/with space"})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() == "export TRAINER_MODEL_STORE='/with space'\n"
