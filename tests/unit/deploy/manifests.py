"""The manifests of deploy/k8s as data: the base read from its files, so that it needs no kubectl; what needs one is built by it."""

import shutil
import subprocess
from base64 import b64encode
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from devstack.places import REPOSITORY

BASE: Final = REPOSITORY / "deploy/k8s/base"
LOCAL: Final = REPOSITORY / "deploy/k8s/overlays/local"
COMPONENTS: Final = REPOSITORY / "deploy/k8s/components"
SERVERS: Final = ("decision", "enricher", "sms")
SERVICES: Final = (*SERVERS, "trainer")

KUBERNETES: Final = "1.33"
"""The manifests use nothing that came later."""

_KEY: Final = b64encode(bytes(range(32))).decode()
SECRETS: Final = {
    ("interlude-redis", "url"): "redis://redis:6379/0",
    ("interlude-decision", "token-key"): _KEY,
    ("interlude-model-verification", "public-key"): _KEY,
    ("interlude-model-signing", "private-key"): _KEY,
    ("interlude-operator", "system-id"): "interlude",
    ("interlude-operator", "password"): "password",
    ("interlude-sms", "phone-key"): _KEY,
}
"""Every secret that the manifests may name, with a value of the right shape."""

Object = dict[str, Any]


@cache
def kustomization(directory: Path = BASE) -> Object:
    """The kustomization.yaml of `directory`."""
    document: Object = yaml.safe_load((directory / "kustomization.yaml").read_text(encoding="utf-8"))
    return document


@cache
def read_objects() -> tuple[Object, ...]:
    """Every object of the base, as written. Read once, for all tests: nobody may change them."""
    texts = [(BASE / name).read_text(encoding="utf-8") for name in kustomization()["resources"]]
    return tuple(document for text in texts for document in yaml.safe_load_all(text))


def find(kind: str, name: str) -> Object:
    """The one object of that kind and name. Raises ValueError when there is not exactly one."""
    (found,) = [o for o in read_objects() if (o["kind"], o["metadata"]["name"]) == (kind, name)]
    return found


def pod(service: str) -> Object:
    """The pod template of a service: metadata and spec."""
    if service == "trainer":
        template: Object = find("CronJob", service)["spec"]["jobTemplate"]["spec"]["template"]
    else:
        template = find("Deployment", service)["spec"]["template"]
    return template


def container(service: str) -> Object:
    """The only container of a service's pod."""
    (only,) = pod(service)["spec"]["containers"]
    found: Object = only
    return found


def configured(service: str) -> dict[str, str]:
    """Variables that come from the service's config maps."""
    files = {generator["name"]: generator.get("envs", []) for generator in kustomization()["configMapGenerator"]}
    names = [source["configMapRef"]["name"] for source in container(service)["envFrom"]]
    lines = [
        line for name in names for file in files[name] for line in (BASE / file).read_text(encoding="utf-8").split()
    ]
    return dict(line.split("=", 1) for line in lines)


def secret_references(service: str) -> dict[str, tuple[str, str]]:
    """Variables that come from secrets: the secret's name and its key."""
    references = {variable["name"]: variable["valueFrom"]["secretKeyRef"] for variable in container(service)["env"]}
    return {name: (reference["name"], reference["key"]) for name, reference in references.items()}


def environment(service: str) -> dict[str, str]:
    """What the container is started with, secrets filled in."""
    secrets = {name: SECRETS[reference] for name, reference in secret_references(service).items()}
    return {**configured(service), **secrets}


def kustomize(directory: Path) -> list[Object]:
    """Every object of a kustomization, built. Skips the test where there is nothing to build it with."""
    for command in (["kustomize", "build"], ["kubectl", "kustomize"]):
        if shutil.which(command[0]):
            done = subprocess.run([*command, str(directory)], capture_output=True, text=True, check=False, timeout=60)
            assert done.returncode == 0, done.stderr
            return list(yaml.safe_load_all(done.stdout))
    pytest.skip("neither kustomize nor kubectl is on PATH")
