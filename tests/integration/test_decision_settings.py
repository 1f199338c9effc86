"""Starting with settings that do not do: exit code 78, every problem in a sentence, no traceback, no secret."""

import base64
import subprocess
import sys
from pathlib import Path

import pytest

from devstack.places import REPOSITORY
from devstack.ports import LOOPBACK, free_port
from devstack.service import service_environment
from interlude.servicekit.lifecycle import REFUSED_TO_START
from tests.models import KEYS

_TIMEOUT_S = 60.0


def _settings(directory: Path) -> dict[str, str]:
    """Settings that would do; nothing listens where they point."""
    return {
        "DECISION_LISTEN": f"{LOOPBACK}:{free_port()}",
        "DECISION_METRICS_PORT": str(free_port()),
        "DECISION_KAFKA_BOOTSTRAP": f"{LOOPBACK}:1",
        "DECISION_REDIS_URL": f"redis://{LOOPBACK}:1/0",
        "DECISION_MODEL_STORE": str(directory / "models"),
        "DECISION_MODEL_PUBLIC_KEY": KEYS.model_public_key,
        "DECISION_TOKEN_KEY": KEYS.token_key,
    }


def _refusal(settings: dict[str, str]) -> list[str]:
    """What a start with these settings prints, line by line."""
    done = subprocess.run(
        [sys.executable, "-m", "services.decision"],
        env=service_environment(settings),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == REFUSED_TO_START == 78
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()


def test_without_settings_every_missing_one_is_listed() -> None:
    lines = _refusal({})
    assert lines[0] == "decision does not start: the settings are not valid:"
    missing = ("METRICS_PORT", "KAFKA_BOOTSTRAP", "REDIS_URL", "MODEL_STORE", "MODEL_PUBLIC_KEY", "TOKEN_KEY")
    assert sorted(line.split()[1] for line in lines[1:]) == sorted(f"DECISION_{name}" for name in missing)
    assert all("is missing: " in line for line in lines[1:])


def test_all_problems_are_listed_at_once_and_no_secret_among_them(tmp_path: Path) -> None:
    short = base64.b64encode(b"not 32 bytes at all").decode()
    wrong = {
        "DECISION_LISTEN": "nowhere",
        "DECISION_METRICS_PORT": "70000",
        "DECISION_KAFKA_BOOTSTRAP": "",
        "DECISION_REDIS_URL": f"redis://{LOOPBACK}:port/0",
        "DECISION_MODEL_STORE": "nonsense://models",
        "DECISION_MODEL_PUBLIC_KEY": "§",
        "DECISION_TOKEN_KEY": short,
        "DECISION_FRONT": "fastest",
        "DECISION_STOP_GRACE_SECONDS": "soon",
        "DECISION_COLOUR": "red",
        "DECISION_LOG_LEVEL": "chatty",
    }
    lines = _refusal({**_settings(tmp_path), **wrong})
    assert sorted(line.split()[1].rstrip(":") for line in lines[1:]) == sorted(wrong)
    assert short not in "".join(lines)


def test_certificates_that_do_not_do_are_listed_with_all_else(tmp_path: Path) -> None:
    wrong = {
        "DECISION_LISTEN": "nowhere",
        "DECISION_TLS_CERTIFICATE": str(tmp_path / "missing.crt"),
        "DECISION_TLS_CLIENT_CA": str(tmp_path),
    }
    lines = _refusal({**_settings(tmp_path), **wrong})
    assert sorted(line.split()[1].rstrip(":") for line in lines[1:]) == sorted([*wrong, "DECISION_TLS_KEY"])


def test_campaigns_that_do_not_do_are_refused_with_every_problem(tmp_path: Path) -> None:
    path = tmp_path / "campaigns.json"
    path.write_text('{"campaigns": [{"campaign_id": "UPPER", "contacts_per_day": -1}, {"campaign_id": "fine"}]}')
    lines = _refusal({**_settings(tmp_path), "DECISION_CAMPAIGN_FILE": str(path)})
    assert lines[0] == "decision does not start: the campaigns are not valid:"
    assert [line.split()[1] for line in lines[1:]] == ["campaigns[0].campaign_id:", "campaigns[0].contacts_per_day:"]


def test_a_port_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    (line,) = _refusal({**_settings(tmp_path), "DECISION_LISTEN": f"{LOOPBACK}:99999"})[1:]
    assert "DECISION_LISTEN: " in line
    assert "99999" in line


@pytest.mark.parametrize("taken", ["DECISION_LISTEN", "DECISION_METRICS_PORT"])
def test_a_port_that_is_taken_is_named(tmp_path: Path, taken: str) -> None:
    with subprocess.Popen([sys.executable, "-c", _LISTENER], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        port = other.stdout.readline().strip()
        value = f"{LOOPBACK}:{port}" if taken == "DECISION_LISTEN" else port
        lines = _refusal({**_settings(tmp_path), taken: value})
        other.terminate()
    assert len([line for line in lines if f"{LOOPBACK}:{port}" in line and "does not start: cannot" in line]) == 1


_LISTENER = """
import signal, socket
taken = socket.create_server(("127.0.0.1", 0))
print(taken.getsockname()[1], flush=True)
signal.pause()
"""
