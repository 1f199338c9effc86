"""The manifests are what Kubernetes takes, and each pod is as closed as it can be."""

import tomllib
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from devstack.places import REPOSITORY
from tests.unit.deploy.manifests import (
    BASE,
    KUBERNETES,
    LOCAL,
    SERVERS,
    SERVICES,
    Object,
    configured,
    container,
    environment,
    find,
    kustomization,
    kustomize,
    pod,
    read_objects,
)


def _name(value: object) -> str:
    return f"{value['kind']}/{value['metadata']['name']}" if isinstance(value, dict) else str(value)


@pytest.mark.parametrize("manifest", read_objects(), ids=_name)
def test_every_object_is_one_that_kubernetes_knows(manifest: Object) -> None:
    kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
    assert "namespace" not in manifest["metadata"]


@pytest.mark.parametrize("directory", [BASE, LOCAL], ids=lambda path: path.name)
def test_kustomize_builds_what_kubernetes_knows(directory: Path) -> None:
    built = kustomize(directory)
    for manifest in built:
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
    assert {_name(manifest) for manifest in read_objects()} <= {_name(manifest) for manifest in built}


def test_kustomize_gives_each_service_its_settings() -> None:
    maps = {
        manifest["metadata"]["name"]: manifest["data"]
        for manifest in kustomize(BASE)
        if manifest["kind"] == "ConfigMap"
    }
    for service in SERVICES:
        (data,) = [data for name, data in maps.items() if name.startswith(f"{service}-settings-")]
        assert data == configured(service)


def test_the_overlay_changes_no_setting_that_does_not_exist() -> None:
    for generator in kustomization(LOCAL)["configMapGenerator"]:
        changed = {literal.split("=", 1)[0] for literal in generator["literals"]}
        assert changed <= configured(generator["name"].removesuffix("-settings")).keys()


def test_images_are_of_this_version() -> None:
    with (REPOSITORY / "pyproject.toml").open("rb") as file:
        version = tomllib.load(file)["project"]["version"]
    assert kustomization()["images"] == [{"name": f"interlude-{service}", "newTag": version} for service in SERVICES]
    assert [container(service)["image"] for service in SERVICES] == [f"interlude-{service}" for service in SERVICES]


@pytest.mark.parametrize("service", SERVICES)
def test_a_pod_may_do_nothing_that_it_need_not(service: str) -> None:
    spec = pod(service)["spec"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == 10001
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container(service)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert spec["automountServiceAccountToken"] is False
    assert spec["serviceAccountName"] == service
    assert find("ServiceAccount", service)["automountServiceAccountToken"] is False


@pytest.mark.parametrize("service", SERVICES)
def test_a_pod_is_given_no_variable_by_the_cluster(service: str) -> None:
    assert pod(service)["spec"]["enableServiceLinks"] is False


@pytest.mark.parametrize("service", SERVICES)
def test_a_pod_says_what_it_needs(service: str) -> None:
    resources = container(service)["resources"]
    assert resources["requests"].keys() == {"cpu", "memory"}
    assert "memory" in resources["limits"]
    assert ("cpu" in resources["limits"]) == (service in {"sms", "trainer"})


@pytest.mark.parametrize("service", SERVICES)
def test_a_pod_can_write_to_tmp_and_mounts_only_what_it_has(service: str) -> None:
    volumes = {volume["name"]: volume for volume in pod(service)["spec"]["volumes"]}
    mounts = {mount["mountPath"]: mount["name"] for mount in container(service)["volumeMounts"]}
    assert "emptyDir" in volumes[mounts["/tmp"]]
    assert set(mounts.values()) == volumes.keys()


@pytest.mark.parametrize("service", SERVICES)
def test_everything_that_selects_pods_selects_these(service: str) -> None:
    labels = pod(service)["metadata"]["labels"]
    assert find("NetworkPolicy", service)["spec"]["podSelector"]["matchLabels"] == labels
    for constraint in pod(service)["spec"]["topologySpreadConstraints"]:
        assert constraint["labelSelector"]["matchLabels"] == labels
    for manifest in read_objects():
        if manifest["kind"] in {"Deployment", "PodDisruptionBudget"} and manifest["metadata"]["name"] == service:
            assert manifest["spec"]["selector"]["matchLabels"] == labels
    if service == "decision":
        assert find("Service", service)["spec"]["selector"] == labels


def _probes(service: str) -> list[dict[str, Any]]:
    return [container(service)[f"{kind}Probe"] for kind in ("startup", "readiness", "liveness")]


def test_decision_is_probed_over_grpc_on_its_port() -> None:
    port = int(environment("decision")["DECISION_LISTEN"].rpartition(":")[2])
    assert [probe["grpc"] for probe in _probes("decision")] == [{"port": port}] * 3


@pytest.mark.parametrize("service", ["enricher", "sms"])
def test_others_are_probed_over_http_on_their_port(service: str) -> None:
    probes = [probe["httpGet"] for probe in _probes(service)]
    assert [probe["path"] for probe in probes] == ["/healthz", "/readyz", "/healthz"]
    assert {probe["port"] for probe in probes} == {"metrics"}


@pytest.mark.parametrize("service", SERVERS)
def test_a_busy_pod_leaves_the_rotation_before_it_is_restarted(service: str) -> None:
    def seconds(probe: dict[str, Any]) -> int:
        return int(probe["periodSeconds"]) * int(probe.get("failureThreshold", 3))

    _, readiness, liveness = _probes(service)
    assert seconds(readiness) < seconds(liveness)


def test_decision_stays_available_while_nodes_and_load_change() -> None:
    autoscaler = find("HorizontalPodAutoscaler", "decision")["spec"]
    assert autoscaler["scaleTargetRef"]["name"] == find("Deployment", "decision")["metadata"]["name"]
    assert autoscaler["minReplicas"] >= 2
    assert "replicas" not in find("Deployment", "decision")["spec"]
    assert find("PodDisruptionBudget", "decision")["spec"]["maxUnavailable"] == 1


def test_a_rebuild_is_as_closed_as_the_enricher_and_runs_only_when_asked_for() -> None:
    asked, service = find("CronJob", "enricher-rebuild")["spec"], pod("enricher")["spec"]
    assert asked["suspend"] is True
    template = asked["jobTemplate"]["spec"]["template"]
    (only,) = template["spec"]["containers"]
    closing = ("securityContext", "automountServiceAccountToken", "serviceAccountName", "enableServiceLinks", "volumes")
    assert {name: template["spec"][name] for name in closing} == {name: service[name] for name in closing}
    same = ("image", "envFrom", "env", "securityContext", "volumeMounts")
    assert {name: only[name] for name in same} == {name: container("enricher")[name] for name in same}
    # Not the enricher's own label: its Deployment and its scraping would take the pod for one of theirs.
    labels = template["metadata"]["labels"]
    assert labels != pod("enricher")["metadata"]["labels"]
    policy = find("NetworkPolicy", "enricher-rebuild")["spec"]
    assert policy["podSelector"]["matchLabels"] == labels
    assert policy["egress"] == find("NetworkPolicy", "enricher")["spec"]["egress"]
