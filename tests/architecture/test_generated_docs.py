"""docs/metrics.md, docs/settings.md, docs/policy.md and docs/features.md say what the code says."""

import pytest

from devstack.places import REPOSITORY
from docs.catalogue import SETTINGS, MetricKind, read_metrics
from docs.features_page import render_features
from docs.generate import is_secret, render_metrics, render_settings
from docs.policy_page import render_policy
from interlude.contacts.campaign import Campaign
from services.decision.policy import RULES
from services.trainer.settings import TrainerSettings

_SERVICES = sorted(path.parent.name for path in (REPOSITORY / "services").glob("*/__main__.py"))


def _written(name: str) -> str:
    return (REPOSITORY / "docs" / name).read_text(encoding="utf-8")


def test_the_page_of_metrics_is_current() -> None:
    assert _written("metrics.md") == render_metrics(), "run 'python -m docs.generate' and commit what changes"


def test_the_page_of_settings_is_current() -> None:
    assert _written("settings.md") == render_settings(), "run 'python -m docs.generate' and commit what changes"


def test_the_page_of_the_policy_is_current() -> None:
    assert _written("policy.md") == render_policy(), "run 'python -m docs.generate' and commit what changes"


def test_the_page_of_features_is_current() -> None:
    assert _written("features.md") == render_features(), "run 'python -m docs.generate' and commit what changes"


def test_rules_name_fields_that_campaigns_have() -> None:
    assert {field for rule in RULES for field in rule.fields} <= Campaign.model_fields.keys()


def test_no_service_is_left_out() -> None:
    assert sorted(SETTINGS) == _SERVICES
    found = [path.parent.name for path in (REPOSITORY / "services").glob("*/metrics*") if path.stem == "metrics"]
    assert sorted(read_metrics()) == sorted(found)


@pytest.mark.parametrize("service", sorted(read_metrics()))
def test_metrics_are_named_and_explained(service: str) -> None:
    for family in read_metrics()[service]:
        assert family.name.startswith(f"interlude_{service}_")
        assert (family.kind is MetricKind.COUNTER) == family.name.endswith("_total")
        assert family.help.endswith((".", "?"))


@pytest.mark.parametrize("service", _SERVICES)
def test_settings_are_explained(service: str) -> None:
    for name, field in SETTINGS[service].model_fields.items():
        assert (field.description or "").endswith("."), name


def test_secrets_are_marked() -> None:
    secrets = {
        f"{settings.prefix}{name.upper()}"
        for settings in SETTINGS.values()
        for name in settings.model_fields
        if is_secret(settings, name)
    }
    assert secrets >= {"DECISION_TOKEN_KEY", "SMS_PHONE_KEY", "SMS_SMPP_PASSWORD", "TRAINER_MODEL_PRIVATE_KEY"}
    assert all(f"`{secret}` 🔒" in _written("settings.md") for secret in secrets)
    assert not is_secret(TrainerSettings, "model_store")
