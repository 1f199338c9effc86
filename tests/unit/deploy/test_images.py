"""The image build names every service, and nothing in it runs as root or through a shell."""

import json
import os
import re
from typing import Final

import pytest

from deploy.images.connector_jars import connector_lines
from devstack.jars import LOCK
from devstack.places import REPOSITORY
from tests.unit.deploy.manifests import SERVICES, container

_DOCKERFILE: Final = (REPOSITORY / "deploy/images/Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
_BUILD: Final = (REPOSITORY / "deploy/images/build.sh").read_text(encoding="utf-8")


def _stage(name: str) -> list[list[str]]:
    """The instructions of one stage, each as [instruction, rest]."""
    found = re.search(rf"^FROM \S+ AS {name}\n(.*?)(?=^FROM |\Z)", _DOCKERFILE, re.MULTILINE | re.DOTALL)
    assert found, f"no stage {name}"
    return [line.split(maxsplit=1) for line in found.group(1).splitlines() if line.strip() and not line.startswith("#")]


def _values(stage: str, instruction: str, **build_args: str) -> list[str]:
    """What the instructions of that name say, for a build with `build_args` or their defaults."""
    args = dict(rest.split("=", 1) for name, rest in _stage(stage) if name == "ARG") | build_args
    return [
        re.sub(r"\$\{(\w+)\}", lambda found: args[found[1]], rest)
        for name, rest in _stage(stage)
        if name == instruction
    ]


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_starts_its_service_as_nobody(service: str) -> None:
    (entrypoint,) = _values(service, "ENTRYPOINT")
    assert json.loads(entrypoint) == ["python", "-m", f"services.{service}"]
    assert _values(service, "USER") == ["10001:10001"]
    assert _stage(service).index(["USER", "10001:10001"]) > max(
        place for place, (name, _) in enumerate(_stage(service)) if name in {"RUN", "COPY"}
    )


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_has_the_locked_packages_and_the_code_of_its_service_only(service: str) -> None:
    (sync,) = [run for run in _values(f"{service}-build", "RUN") if '"sync"' in run]
    assert "--require-hashes" in json.loads(sync)
    assert json.loads(sync)[-1] == f"requirements/{service}.txt"
    copied = [rest.split()[0] for rest in _values(f"{service}-build", "COPY")]
    assert ("--from=native-build" in copied) == (service == "decision")
    services = [path for path in copied if path.startswith("services/")]
    of_the_command_line = ["services/sms/__init__.py"] if service == "decision" else []
    assert services == ["services/__init__.py", f"services/{service}", *of_the_command_line]


def test_the_command_line_is_where_decisions_are_made() -> None:
    copies = _values("decision-build", "COPY")
    assert "cli /app/cli" in copies
    assert "deploy/images/interlude /opt/venv/bin/interlude" in copies
    assert os.access(REPOSITORY / "deploy/images/interlude", os.X_OK)
    # All that it imports of services whose code the image does not have anyhow.
    used = {
        name
        for path in (REPOSITORY / "cli").glob("*.py")
        for name in re.findall(r"^from (services\S+)", path.read_text(encoding="utf-8"), re.MULTILINE)
        if not name.startswith("services.decision.")
    }
    assert used == {"services.sms.messages"}
    assert "services/sms/__init__.py services/sms/messages.py /app/services/sms/" in copies


@pytest.mark.parametrize("service", SERVICES)
def test_everything_copied_exists_and_reaches_the_builder(service: str) -> None:
    ignored = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
    admitted = [line.removeprefix("!") for line in ignored if line.startswith("!")]
    copied = [rest for stage in ("installer", "native-build", f"{service}-build") for rest in _values(stage, "COPY")]
    for rest in copied:
        if rest.startswith("--from="):
            continue
        for source in rest.split()[:-1]:
            assert (REPOSITORY / source).exists(), source
            assert any(_admits(pattern, source) for pattern in admitted), source


def test_the_trainer_can_be_built_with_what_tracks_trainings() -> None:
    (copied,) = [rest for rest in _values("trainer-build", "COPY", TRAINER_LOCK="tracking") if "requirements/" in rest]
    source, target = copied.split()
    assert target == "requirements/trainer.txt"
    packages = (REPOSITORY / source).read_text(encoding="utf-8")
    assert re.search("^mlflow-skinny==", packages, re.MULTILINE)
    assert re.search("^pyspark==", packages, re.MULTILINE)


def _admits(pattern: str, path: str) -> bool:
    return (
        path == pattern
        or path.startswith(f"{pattern}/")
        or (pattern == "requirements/*.txt" and path.startswith("requirements/"))
    )


def test_the_native_front_is_built_from_the_locked_tool() -> None:
    runs = _values("native-build", "RUN")
    assert any("--require-hashes" in run and "requirements/native.txt" in run for run in runs)


@pytest.mark.parametrize("service", SERVICES)
def test_ports_of_the_manifest_are_exposed(service: str) -> None:
    exposed = [int(port) for rest in _values(service, "EXPOSE") for port in rest.split()]
    assert exposed == [port["containerPort"] for port in container(service).get("ports", [])]


def test_the_build_script_knows_every_service() -> None:
    assert f"known=({' '.join(SERVICES)})" in _BUILD


def test_the_connector_is_the_locked_one_without_the_broker() -> None:
    lines = connector_lines(LOCK.read_text(encoding="utf-8")).splitlines()
    assert lines
    assert all(line.startswith("spark ") for line in lines)
    assert any("spark-sql-kafka" in line for line in lines)
