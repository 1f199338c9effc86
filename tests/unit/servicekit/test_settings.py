"""Settings: everything that is wrong is said at once, and no secret with it."""

from typing import ClassVar

import pytest
from pydantic import Field, SecretStr, ValidationError

from interlude.servicekit.settings import InvalidSettings, ServiceSettings, load_settings


class KettleSettings(ServiceSettings):
    """Settings of a service that boils water."""

    prefix: ClassVar[str] = "KETTLE_"

    limit_celsius: int = Field(ge=1, le=100)
    """Temperature at which it stops."""
    password: SecretStr = Field(min_length=12)
    """What opens the lid."""


GOOD = {"KETTLE_METRICS_PORT": "9000", "KETTLE_LIMIT_CELSIUS": "90", "KETTLE_PASSWORD": "correct horse battery"}


def _problems(environ: dict[str, str]) -> tuple[str, ...]:
    with pytest.raises(InvalidSettings) as caught:
        load_settings(KettleSettings, environ)
    return caught.value.problems


def test_good_settings_are_read_with_their_defaults() -> None:
    settings = load_settings(KettleSettings, GOOD)
    assert (settings.metrics_host, settings.metrics_port, settings.log_level) == ("127.0.0.1", 9000, "info")
    assert settings.limit_celsius == 90


def test_settings_cannot_be_changed() -> None:
    settings = load_settings(KettleSettings, GOOD)
    with pytest.raises(ValidationError, match="frozen"):
        settings.limit_celsius = 80


def test_variables_of_others_are_nobodys_business() -> None:
    load_settings(KettleSettings, {**GOOD, "PATH": "/bin", "TOASTER_SLOTS": "2", "KETTLES": "3"})


def test_all_problems_are_reported_at_once() -> None:
    problems = _problems(
        {
            "KETTLE_METRICS_PORT": "65536",
            "KETTLE_LIMIT_CELSIUS": "hot",
            "KETTLE_LOG_LEVEL": "loud",
            "KETTLE_COLOUR": "red",
        }
    )
    assert len(problems) == 5
    assert sorted(problem.split()[0].rstrip(":") for problem in problems) == [
        "KETTLE_COLOUR",
        "KETTLE_LIMIT_CELSIUS",
        "KETTLE_LOG_LEVEL",
        "KETTLE_METRICS_PORT",
        "KETTLE_PASSWORD",
    ]


def test_a_missing_variable_is_named_with_its_meaning() -> None:
    environ = {name: value for name, value in GOOD.items() if name != "KETTLE_LIMIT_CELSIUS"}
    assert _problems(environ) == ("KETTLE_LIMIT_CELSIUS is missing: Temperature at which it stops.",)


def test_an_unknown_variable_under_the_prefix_is_refused() -> None:
    assert _problems({**GOOD, "KETTLE_COLOUR": "red"}) == ("KETTLE_COLOUR is not a setting of this service",)


@pytest.mark.parametrize("name", ["KETTLE_PASSWORD", "KETTLE_LIMIT_CELSIUS", "KETTLE_COLOUR", "KETTLE_LOG_LEVEL"])
def test_no_value_is_ever_in_the_message(name: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        load_settings(KettleSettings, {**GOOD, name: "s3cr3t"})
    assert "s3cr3t" not in str(caught.value)
    assert "s3cr3t" not in str(caught.value.__cause__)


def test_the_message_is_a_list_for_a_person() -> None:
    with pytest.raises(InvalidSettings, match=r"^the settings are not valid:\n  - KETTLE_\w+"):
        load_settings(KettleSettings, {})


@pytest.mark.parametrize(("port", "is_valid"), [("0", False), ("1", True), ("65535", True), ("65536", False)])
def test_ports_have_their_limits(port: str, is_valid: bool) -> None:
    environ = {**GOOD, "KETTLE_METRICS_PORT": port}
    if is_valid:
        assert load_settings(KettleSettings, environ).metrics_port == int(port)
    else:
        assert len(_problems(environ)) == 1
