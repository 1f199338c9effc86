import subprocess
import sys
from pathlib import Path

from devstack.bootstrap import installer_environment, write_launcher


def test_certificates_that_the_user_names_reach_pip_and_uv() -> None:
    own = installer_environment({"SSL_CERT_FILE": "/certificates.pem"})
    assert own["SSL_CERT_FILE"] == own["PIP_CERT"] == "/certificates.pem"
    assert own["UV_SYSTEM_CERTS"] == "1"


def test_a_certificate_file_for_pip_alone_stays() -> None:
    own = installer_environment({"SSL_CERT_FILE": "/certificates.pem", "PIP_CERT": "/for-pip.pem"})
    assert own["PIP_CERT"] == "/for-pip.pem"


def test_an_active_environment_of_another_project_is_not_installed_into() -> None:
    assert "VIRTUAL_ENV" not in installer_environment({"VIRTUAL_ENV": "/elsewhere"})


def test_the_launcher_runs_the_command_line_from_anywhere(tmp_path: Path) -> None:
    directory = tmp_path / "with space"
    directory.mkdir()
    python = directory / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')  # a link would hide this interpreter's packages
    python.chmod(0o755)
    (directory / "cli.py").write_text("raise SystemExit('not this one')")
    write_launcher(directory)
    written_ns = (directory / "interlude").stat().st_mtime_ns
    write_launcher(directory)
    assert (directory / "interlude").stat().st_mtime_ns == written_ns
    command = [str(directory / "interlude"), "campaign", "--help"]
    done = subprocess.run(command, cwd=directory, env={}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: interlude campaign")
