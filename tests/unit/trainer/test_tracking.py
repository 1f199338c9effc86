"""Runs of MLflow: written into its own directory of runs, read back with its own client."""

from pathlib import Path
from typing import Any, Final

import pytest

from devstack.ports import free_port
from interlude.servicekit.settings import InvalidSettings, load_settings
from services.trainer import settings as trainer_settings
from services.trainer.settings import TrainerSettings
from services.trainer.tracking import DEFAULTS, NotTracked, metrics_of, tags_of, track

REPORT: Final[dict[str, Any]] = {
    "rows": 5000,
    "positives": 742,
    "logistic": {"error": 0.12, "auc": None, "class_weight": "plain", "passed": False},
    "champion": {"version": "fedcba9876543210", "error": 0.01, "log_loss": 0.2},
    "gate": {
        "algorithm": "logistic",
        "passed": False,
        "checks": [
            {
                "name": "error",
                "passed": False,
                "value": 0.12,
                "limit": 0.1,
                "sentence": "12 % of the answers are wrong",
            },
            {"name": "finite", "passed": True, "value": None, "limit": None, "sentence": "all numbers are numbers"},
        ],
        "not_checked": [],
    },
    "evidence": {"gain": {"low": -1.0}},
    "published": None,
    "promoted": False,
    "seconds": {"total": 2.0},
}


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What MLflow is told by variables ends with the test."""
    for name in DEFAULTS:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def test_metrics_are_named_by_their_path_and_checks_by_their_name() -> None:
    assert metrics_of(REPORT) == {
        "rows": 5000,
        "positives": 742,
        "logistic.error": 0.12,
        "logistic.passed": 0,
        "champion.error": 0.01,
        "champion.log_loss": 0.2,
        "promoted": 0,
        "seconds.total": 2,
        "gate.error": 0.12,
    }


def test_tags_say_the_verdict_and_why() -> None:
    assert tags_of(REPORT) == {
        "version": "",
        "algorithm": "logistic",
        "gate": "refused",
        "promoted": "false",
        "champion": "fedcba9876543210",
        "refused.error": "12 % of the answers are wrong",
    }
    first = REPORT | {"champion": None, "published": "abc", "promoted": True}
    assert (tags_of(first)["champion"], tags_of(first)["version"], tags_of(first)["promoted"]) == ("", "abc", "true")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_a_training_becomes_a_run_of_its_experiment(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    tracking = pytest.importorskip("mlflow.tracking", reason="needs requirements/tracking.txt")
    uri = f"file:{tmp_path / 'runs'}"
    asked = {"threshold": 0.5, "features": "x" * 9000}
    first = track(uri, "night", REPORT, asked, {"page.html": b"<p>", "model.onnx": b"\x00\xff"})
    second = track(uri, "night", REPORT, asked, {})
    assert capfd.readouterr().out == "", "standard output belongs to the report"

    client = tracking.MlflowClient(uri)
    run = client.get_run(first)
    assert run.data.metrics == metrics_of(REPORT)
    assert {name: run.data.tags[name] for name in tags_of(REPORT)} == tags_of(REPORT)
    assert run.data.params == {"threshold": "0.5", "features": "x" * 500}
    assert (run.info.run_name, run.info.status) == ("refused logistic", "FINISHED")
    assert run.info.end_time - run.info.start_time >= 2000
    assert Path(client.download_artifacts(first, "model.onnx", str(tmp_path))).read_bytes() == b"\x00\xff"
    experiment = client.get_experiment_by_name("night")
    assert {found.info.run_id for found in client.search_runs([experiment.experiment_id])} == {first, second}


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_a_server_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow.tracking", reason="needs requirements/tracking.txt")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    uri = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(NotTracked, match=f"no run was completed at {uri}: .*refused"):
        track(uri, "night", REPORT, {}, {})


def test_where_mlflow_is_not_installed_the_setting_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer_settings, "is_installed", lambda: False)
    environment = {"TRAINER_MODEL_STORE": "models", "TRAINER_TRACKING_URI": "http://mlflow:5000"}
    with pytest.raises(InvalidSettings, match=r"TRAINER_TRACKING_URI.*MLflow is not installed.*requirements/tracking"):
        load_settings(TrainerSettings, environment)
    del environment["TRAINER_TRACKING_URI"]
    assert load_settings(TrainerSettings, environment).tracking_uri == ""
