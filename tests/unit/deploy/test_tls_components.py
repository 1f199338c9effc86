"""What an overlay takes in for TLS: settings that the service takes, files that follow the secret, probes that work."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from interlude.servicekit.settings import load_settings
from services.decision.settings import DecisionSettings
from tests.certificates import Authority, MountedSecret
from tests.unit.deploy.manifests import COMPONENTS, KUBERNETES, LOCAL, Object, environment, kustomization, kustomize

_TLS, _MUTUAL = COMPONENTS / "tls", COMPONENTS / "mutual-tls"
_SECRET = "interlude-decision-tls"


def _variables(*components: Path) -> dict[str, str]:
    """What the components add to the settings."""
    literals: list[str] = []
    for component in components:
        (generator,) = kustomization(component)["configMapGenerator"]
        assert (generator["name"], generator["behavior"]) == ("decision-settings", "merge")
        literals += generator["literals"]
    return dict(literal.split("=", 1) for literal in literals)


def _patched_pod() -> Object:
    (patch,) = kustomization(_TLS)["patches"]
    pod: Object = yaml.safe_load(patch["patch"])["spec"]["template"]["spec"]
    return pod


@pytest.mark.parametrize(("components", "tls"), [((_TLS,), "server"), ((_TLS, _MUTUAL), "mutual")])
def test_the_settings_load_with_a_secret_as_cert_manager_writes_it(
    components: Sequence[Path], tls: str, tmp_path: Path
) -> None:
    """The mount path replaced by a directory with those three files."""
    MountedSecret(tmp_path).issue(Authority("ours"))
    (mount,) = _patched_pod()["containers"][0]["volumeMounts"]
    variables = _variables(*components)
    assert all(path.startswith(f"{mount['mountPath']}/") for path in variables.values())
    here = {name: path.replace(mount["mountPath"], str(tmp_path)) for name, path in variables.items()}
    assert load_settings(DecisionSettings, {**environment("decision"), **here}).tls == tls


def test_the_whole_secret_is_mounted_and_only_the_service_may_read_it() -> None:
    pod = _patched_pod()
    (mount,), (volume,) = pod["containers"][0]["volumeMounts"], pod["volumes"]
    assert mount["name"] == volume["name"]
    assert volume["secret"] == {"secretName": _SECRET, "defaultMode": 0o440}
    assert mount["readOnly"] is True
    assert "subPath" not in mount
    explained = (COMPONENTS.parents[1] / "README.md").read_text(encoding="utf-8")
    assert all(f"`{part}`" in explained for part in (_SECRET, "tls.crt", "tls.key", "ca.crt"))


@pytest.fixture
def built(tmp_path: Path) -> list[Object]:
    """The local overlay with both components, as kustomize builds it."""

    def reached(path: Path) -> str:
        return os.path.relpath(path, tmp_path.resolve())

    overlay = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [reached(LOCAL)],
        "components": [reached(_TLS), reached(_MUTUAL)],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay), encoding="utf-8")
    return kustomize(tmp_path)


def _only(built: list[Object], kind: str, name: str) -> Any:
    (found,) = [o for o in built if o["kind"] == kind and o["metadata"]["name"].startswith(name)]
    return found


def test_an_overlay_with_both_is_one_that_kubernetes_knows(built: list[Object]) -> None:
    for manifest in built:
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
    settings = _only(built, "ConfigMap", "decision-settings-")["data"]
    assert _variables(_TLS, _MUTUAL).items() <= settings.items()
    assert settings["DECISION_LISTEN"] == environment("decision")["DECISION_LISTEN"]


def test_probes_speak_http_then_as_patiently_as_before(built: list[Object]) -> None:
    (container,) = _only(built, "Deployment", "decision")["spec"]["template"]["spec"]["containers"]
    probes = [container[f"{kind}Probe"] for kind in ("startup", "readiness", "liveness")]
    assert [probe["httpGet"]["path"] for probe in probes] == ["/readyz", "/readyz", "/healthz"]
    assert {probe["httpGet"]["port"] for probe in probes} == {"metrics"}
    assert all("grpc" not in probe for probe in probes)
    assert [probe["periodSeconds"] for probe in probes] == [1, 2, 10]
    assert {mount["mountPath"] for mount in container["volumeMounts"]} >= {"/tmp", "/models", "/etc/interlude-tls"}
