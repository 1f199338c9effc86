"""The lake's pods: as closed as all others, never two writers, and told what the trainer's own command line and settings take."""

from typing import Any, Final

import pytest

from interlude.servicekit.lifecycle import REFUSED_TO_START
from interlude.servicekit.settings import load_settings
from services.trainer.arguments import Command, build_parser
from services.trainer.lake.commands import LakeCommand
from services.trainer.settings import TrainerSettings
from tests.unit.deploy.manifests import BASE, find, kustomization

WRITER: Final = find("Deployment", "lake")
COMPACTION: Final = find("CronJob", "lake-compaction")
PODS: Final[list[dict[str, Any]]] = [WRITER["spec"]["template"], COMPACTION["spec"]["jobTemplate"]["spec"]["template"]]
COMMANDS: Final = (LakeCommand.RUN, LakeCommand.COMPACT)


def settings() -> TrainerSettings:
    """What the pods are told; unknown, missing and wrong variables raise."""
    (generator,) = [one for one in kustomization()["configMapGenerator"] if one["name"] == "lake-settings"]
    lines = [line for file in generator["envs"] for line in (BASE / file).read_text(encoding="utf-8").split()]
    return load_settings(TrainerSettings, dict(line.split("=", 1) for line in lines))


@pytest.mark.parametrize(("template", "command"), list(zip(PODS, COMMANDS, strict=True)), ids=["run", "compact"])
def test_each_pod_runs_its_command_and_may_do_nothing_else(template: dict[str, Any], command: LakeCommand) -> None:
    spec = template["spec"]
    (container,) = spec["containers"]
    arguments = build_parser().parse_args(container["args"])
    assert (arguments.command, arguments.lake_command) == (Command.LAKE, command)
    assert container["envFrom"] == [{"configMapRef": {"name": "lake-settings"}}]
    assert "env" not in container  # no key that signs models
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert spec["serviceAccountName"] == "lake"
    assert (spec["automountServiceAccountToken"], spec["enableServiceLinks"]) == (False, False)
    assert container["resources"]["limits"].keys() == {"cpu", "memory"}
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    assert settings().lake in mounts
    assert set(mounts.values()) == {volume["name"] for volume in spec["volumes"]}
    policy = find("NetworkPolicy", template["metadata"]["labels"]["app.kubernetes.io/name"])
    assert policy["spec"]["podSelector"]["matchLabels"] == template["metadata"]["labels"]


def test_one_writes_and_one_compacts() -> None:
    assert (WRITER["spec"]["replicas"], WRITER["spec"]["strategy"]) == (1, {"type": "Recreate"})
    assert COMPACTION["spec"]["concurrencyPolicy"] == "Forbid"
    (rule,) = COMPACTION["spec"]["jobTemplate"]["spec"]["podFailurePolicy"]["rules"]
    assert rule["onExitCodes"]["values"] == [REFUSED_TO_START]


def test_metrics_are_served_where_they_are_scraped() -> None:
    told, (container,) = settings(), PODS[0]["spec"]["containers"]
    assert told.metrics_host == "0.0.0.0"
    assert container["ports"] == [{"name": "metrics", "containerPort": told.metrics_port}]
    assert PODS[0]["metadata"]["annotations"]["prometheus.io/port"] == str(told.metrics_port)


def test_every_address_can_be_reached() -> None:
    rules = find("NetworkPolicy", "lake")["spec"]["egress"]
    kafka = int(settings().kafka_bootstrap.rpartition(":")[2])
    assert {port["port"] for rule in rules for port in rule["ports"]} == {53, kafka}
