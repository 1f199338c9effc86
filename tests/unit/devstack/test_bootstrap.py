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
    (directory / "python").symlink_to(sys.executable)
    (directory / "cli.py").write_text("raise SystemExit('not this one')")
    write_launcher(directory)
    written_ns = (directory / "interlude").stat().st_mtime_ns
    write_launcher(directory)
    assert (directory / "interlude").stat().st_mtime_ns == written_ns
    # With the packages of this interpreter, whose own directory a link hides.
    environment = {"VIRTUAL_ENV": sys.prefix, "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [str(directory / "interlude"), "campaign", "--help"],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: interlude campaign")
