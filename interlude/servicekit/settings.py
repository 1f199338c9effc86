"""A service's settings: one frozen class, read from the environment once, with every problem reported together."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError


@dataclass(eq=False)
class InvalidSettings(Exception):
    """The environment does not make valid settings; one sentence per problem, none with a secret in it."""

    problems: tuple[str, ...]

    def __str__(self) -> str:
        return "the settings are not valid:\n" + "\n".join(f"  - {problem}" for problem in self.problems)


class ServiceSettings(BaseModel):
    """What every service takes. A subclass sets `prefix` and adds fields, each with a sentence under it."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True)
    prefix: ClassVar[str]

    metrics_host: str = "127.0.0.1"
    """Address on which /metrics, /healthz and /readyz are served; 0.0.0.0 inside a pod."""
    metrics_port: int = Field(ge=1, le=65535)
    """Port of /metrics, /healthz and /readyz."""
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$")
    """Lowest level that is logged: debug, info, warning or error."""


SettingsT = TypeVar("SettingsT", bound=ServiceSettings)


def load_settings(settings: type[SettingsT], environ: Mapping[str, str]) -> SettingsT:
    """The settings in the variables of `environ` that carry the class's prefix. Raises `InvalidSettings`."""
    values = {
        name.removeprefix(settings.prefix).lower(): value
        for name, value in environ.items()
        if name.startswith(settings.prefix)
    }
    try:
        return settings.model_validate(values)
    except ValidationError as error:
        raise InvalidSettings(tuple(_problem(settings, dict(detail)) for detail in error.errors())) from error


def _problem(settings: type[ServiceSettings], detail: dict[str, object]) -> str:
    location = detail["loc"]
    field = str(location[0]) if isinstance(location, tuple) and location else ""
    variable = settings.prefix + field.upper()
    if detail["type"] == "extra_forbidden":
        return f"{variable} is not a setting of this service"
    if detail["type"] == "missing":
        return f"{variable} is missing: {settings.model_fields[field].description}"
    return f"{variable}: {detail['msg']}"
