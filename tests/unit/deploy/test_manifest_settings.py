"""What the manifests tell the services is what the services' own settings classes take."""

import re

import pytest

from docs.catalogue import SETTINGS
from docs.generate import is_secret
from interlude.contacts.campaign import DEFAULT_CAMPAIGNS, Campaign
from interlude.contacts.campaign_file import parse_campaigns, read_campaigns
from interlude.servicekit.lifecycle import REFUSED_TO_START
from interlude.servicekit.settings import load_settings
from services.decision.composition import FLUSH_SECONDS
from services.decision.settings import DecisionSettings
from services.enricher.commands import ANOTHER_REBUILD
from services.enricher.commands import build_parser as build_enricher_parser
from services.sms.messages import long_texts
from services.sms.settings import SmsSettings
from services.trainer.arguments import Command, build_parser
from services.trainer.looping import train_arguments
from services.trainer.replies import REFUSED
from services.trainer.settings import TrainerSettings
from tests.unit.deploy.manifests import (
    BASE,
    SECRETS,
    SERVERS,
    SERVICES,
    configured,
    container,
    environment,
    find,
    kustomization,
    pod,
    secret_references,
)


@pytest.mark.parametrize("service", SERVICES)
def test_the_settings_load(service: str) -> None:
    # Unknown, missing and wrong variables all raise.
    settings = load_settings(SETTINGS[service], environment(service))
    foreign = [name for name in environment(service) if not name.startswith(settings.prefix)]
    assert foreign == []


@pytest.mark.parametrize("service", SERVICES)
def test_no_variable_is_said_twice(service: str) -> None:
    assert configured(service).keys().isdisjoint(secret_references(service))


@pytest.mark.parametrize("service", SERVICES)
def test_secrets_come_from_secrets(service: str) -> None:
    settings = SETTINGS[service]
    secret = {settings.prefix + name.upper() for name in settings.model_fields if is_secret(settings, name)}
    assert secret <= secret_references(service).keys()


def test_every_known_secret_is_used_and_none_is_contained() -> None:
    assert {reference for service in SERVICES for reference in secret_references(service).values()} == set(SECRETS)
    assert "secretGenerator" not in kustomization()
    explained = (BASE.parents[1] / "README.md").read_text(encoding="utf-8")
    assert all(f"`{part}`" in explained for reference in SECRETS for part in reference)


@pytest.mark.parametrize("service", SERVERS)
def test_metrics_are_served_where_they_are_scraped(service: str) -> None:
    settings = load_settings(SETTINGS[service], environment(service))
    assert settings.metrics_host == "0.0.0.0"
    assert {"name": "metrics", "containerPort": settings.metrics_port} in container(service)["ports"]
    annotations = pod(service)["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(settings.metrics_port)
    assert annotations["prometheus.io/path"] == "/metrics"
    assert annotations["prometheus.io/scrape"] == "true"


def test_decisions_are_served_where_they_are_asked_for() -> None:
    host, _, port = load_settings(DecisionSettings, environment("decision")).listen.rpartition(":")
    assert host == "0.0.0.0"
    assert {"name": "grpc", "containerPort": int(port)} in container("decision")["ports"]
    (published,) = find("Service", "decision")["spec"]["ports"]
    assert (published["port"], published["targetPort"]) == (int(port), "grpc")
    assert find("Service", "decision")["spec"]["clusterIP"] == "None"


@pytest.mark.parametrize("service", ["decision", "sms", "trainer"])
def test_campaigns_are_where_the_settings_say(service: str) -> None:
    path = environment(service)[f"{service.upper()}_CAMPAIGN_FILE"]
    (volume,) = [
        v["name"] for v in pod(service)["spec"]["volumes"] if v.get("configMap", {}).get("name") == "campaigns"
    ]
    (mount,) = [m["mountPath"] for m in container(service)["volumeMounts"] if m["name"] == volume]
    (generator,) = [g for g in kustomization()["configMapGenerator"] if g["name"] == "campaigns"]
    assert [f"{mount}/{file}" for file in generator["files"]] == [path]
    # The document shows every field there is, with the values that hold without it.
    document = BASE / generator["files"][0]
    assert read_campaigns(str(document), long_texts) == DEFAULT_CAMPAIGNS
    text = document.read_text(encoding="utf-8")
    assert [name for name in Campaign.model_fields if not re.search(rf"^ +(- |# )?{name}: ?", text, re.MULTILINE)] == []


def test_campaigns_change_without_a_new_pod() -> None:
    (generator,) = [g for g in kustomization()["configMapGenerator"] if g["name"] == "campaigns"]
    assert generator["options"] == {"disableNameSuffixHash": True}
    # A mount of a single file is never updated.
    mounts = [
        m for service in ("decision", "sms") for m in container(service)["volumeMounts"] if m["name"] == "campaigns"
    ]
    assert len(mounts) == 2
    assert not any("subPath" in mount for mount in mounts)


def test_what_is_commented_out_can_be_switched_on() -> None:
    text = (BASE / "campaigns.yaml").read_text(encoding="utf-8")
    switched_on = re.sub(r"^    # (?=(  |[a-z_]+: |[a-z_]+:\n|[a-z_]+:  #))", "    ", text, flags=re.MULTILINE)
    campaign = parse_campaigns(switched_on.encode(), "campaigns.yaml").default
    assert campaign.budget is not None
    assert len(campaign.arms) == 2
    assert None not in (campaign.starts_at, campaign.ends_at, campaign.contacts_per_hour, campaign.contacts_per_week)


@pytest.mark.parametrize("service", ["decision", "trainer"])
def test_the_model_store_is_where_the_settings_say(service: str) -> None:
    (volume,) = [v for v in pod(service)["spec"]["volumes"] if "persistentVolumeClaim" in v]
    assert find("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"])
    (mount,) = [m for m in container(service)["volumeMounts"] if m["name"] == volume["name"]]
    assert mount["mountPath"] == environment(service)[f"{service.upper()}_MODEL_STORE"]
    assert mount.get("readOnly", False) == (service == "decision")


def test_a_decision_pod_has_the_time_it_needs_to_stop() -> None:
    settings = load_settings(DecisionSettings, environment("decision"))
    pause_seconds = container("decision")["lifecycle"]["preStop"]["sleep"]["seconds"]
    needed_seconds = pause_seconds + settings.stop_grace_seconds + FLUSH_SECONDS
    assert pod("decision")["spec"]["terminationGracePeriodSeconds"] > needed_seconds


def test_an_sms_pod_has_the_time_to_hear_of_what_is_in_flight() -> None:
    settings = load_settings(SmsSettings, environment("sms"))
    needed_ms = settings.response_timeout_ms + settings.redis_timeout_ms + settings.flush_timeout_ms
    assert pod("sms")["spec"]["terminationGracePeriodSeconds"] > needed_ms / 1000


def test_the_trainer_is_asked_for_what_it_can_do() -> None:
    looping = build_parser().parse_args(container("trainer")["args"])
    assert (looping.command, looping.rounds) == (Command.LOOP, 1)
    arguments = train_arguments(looping.train)
    assert read_campaigns(str(BASE / "campaigns.yaml")).find(arguments.campaign)
    # The image has the connector among Spark's own jars.
    assert load_settings(TrainerSettings, environment("trainer")).spark_jars == ""


def test_a_refused_model_is_not_trained_again_at_once() -> None:
    (rule,) = find("CronJob", "trainer")["spec"]["jobTemplate"]["spec"]["podFailurePolicy"]["rules"]
    assert rule["action"] == "FailJob"
    assert rule["onExitCodes"]["values"] == [REFUSED, REFUSED_TO_START]


def test_a_rebuild_is_asked_for_what_the_enricher_can_do_and_not_repeated_in_vain() -> None:
    job = find("CronJob", "enricher-rebuild")["spec"]["jobTemplate"]["spec"]
    assert build_enricher_parser().parse_args(job["template"]["spec"]["containers"][0]["args"]).command == "rebuild"
    (rule,) = job["podFailurePolicy"]["rules"]
    assert rule["action"] == "FailJob"
    assert rule["onExitCodes"]["values"] == [2, ANOTHER_REBUILD, REFUSED_TO_START]


@pytest.mark.parametrize("service", SERVICES)
def test_every_address_can_be_reached(service: str) -> None:
    """The network policy opens the port of each address in the environment, and DNS to find it."""
    variables = environment(service)
    prefix = SETTINGS[service].prefix
    needed = {53, int(variables[f"{prefix}KAFKA_BOOTSTRAP"].rpartition(":")[2])}
    if f"{prefix}REDIS_URL" in variables:
        needed.add(int(variables[f"{prefix}REDIS_URL"].rpartition(":")[2].split("/")[0]))
    if f"{prefix}SMPP_PORT" in variables:
        needed.add(int(variables[f"{prefix}SMPP_PORT"]))
    rules = find("NetworkPolicy", service)["spec"]["egress"]
    assert {port["port"] for rule in rules for port in rule["ports"]} == needed
