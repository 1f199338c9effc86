"""The whole demo, small: what `make demo` promises is kept."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from devstack.places import REPOSITORY

TIMEOUT_S = 380
"""Of the whole run. It takes about a minute on two free cores; most of it is Spark, which has to share on a busy machine."""

CUSTOMERS = 1500
"""Fewer give so few rows that the gate may refuse the second model by chance."""

pytestmark = pytest.mark.timeout(TIMEOUT_S + 20)


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The summary of one run that ended well."""
    path = tmp_path_factory.mktemp("demo") / "summary.json"
    command = [sys.executable, "-m", "demo", "--customers", str(CUSTOMERS), "--seconds", "4", "--rate", "100"]
    done = subprocess.run(
        [*command, "--summary", str(path)],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONWARNINGS": "default"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    document: dict[str, Any] = json.loads(path.read_text())
    return document


def test_every_event_is_applied_or_a_dead_letter(summary: dict[str, Any]) -> None:
    events = summary["events"]
    assert events["dead_lettered"] > 0
    assert events["applied"] == events["produced"] - events["dead_lettered"]
    assert events["produced"] > CUSTOMERS * 20


def test_the_model_is_better_than_never_showing_and_published(summary: dict[str, Any]) -> None:
    training = summary["training"]
    assert training["gate"] == "passed"
    assert training["published"]
    assert training["logistic"]["error"] < training["never_show"]["error"]
    assert training["logistic"]["log_loss"] < training["never_show"]["log_loss"]
    assert training["parity_max_abs"] <= 1e-5


def test_two_models_answered_and_every_answer_has_a_reason(summary: dict[str, Any]) -> None:
    decisions = summary["decisions"]
    assert len(decisions["model_versions"]) == 2
    assert training_version(summary) in decisions["model_versions"]
    assert sum(decisions["reasons"].values()) == decisions["asked"] > 100
    reasons = decisions["reasons"]
    assert reasons["SHOW"] + reasons.get("EXPLORED", 0) == decisions["shown"] > 0
    assert 0 < decisions["p50_ms"] <= decisions["p99_ms"]


def test_every_message_was_asked_for_sent_once_and_delivered(summary: dict[str, Any]) -> None:
    sms = summary["sms"]
    assert sms["sent"] == sms["delivered"] > 0
    assert sms["sent"] + sum(sms["suppressed"].values()) == sms["requested"] <= CUSTOMERS


def test_freshness_and_seconds_were_measured(summary: dict[str, Any]) -> None:
    assert 0 < summary["freshness"]["p50_ms"] <= summary["freshness"]["p99_ms"]
    assert 0 < summary["seconds"]["ready"] < summary["seconds"]["total"]


def training_version(summary: dict[str, Any]) -> str:
    return str(summary["training"]["published"])
