"""Writes metrics.md, settings.md, policy.md and features.md in docs/ from the services' own code: `python -m docs.generate`."""

from pathlib import Path
from typing import Any, Final

from docs.catalogue import SETTINGS, MetricFamily, read_metrics
from docs.features_page import render_features
from docs.markdown import NOTE, cell
from docs.policy_page import render_policy
from interlude.servicekit.settings import ServiceSettings

_DIRECTORY: Final = Path(__file__).parent
_REQUIRED: Final = "**required**"


def render_metrics() -> str:
    """The whole of docs/metrics.md."""
    lines = ["# Metrics", "", NOTE, ""]
    lines += [
        "Every service answers `/metrics` on `<SERVICE>_METRICS_PORT`; of the trainer `lake run` does, its other commands end."
    ]
    lines += ["A histogram is queried as `_bucket`, `_sum` and `_count`. What is drawn of these: `deploy/dashboards`."]
    for service, families in read_metrics().items():
        lines += ["", f"## {service}", "", "| metric | type | labels | what it says, what to do |", "|---|---|---|---|"]
        lines += [_metric_row(family) for family in families]
    return "\n".join(lines) + "\n"


def render_settings() -> str:
    """The whole of docs/settings.md."""
    lines = ["# Settings", "", NOTE, ""]
    lines += [
        "A service reads the variables that carry its prefix once, at its start. With a missing, wrong or unknown one it does not"
    ]
    lines += ["start, and names all of them. 🔒 marks secrets: they are never logged."]
    for service, settings in SETTINGS.items():
        lines += ["", f"## {service}", "", "| variable | type | default | what it is |", "|---|---|---|---|"]
        lines += _setting_rows(settings)
    return "\n".join(lines) + "\n"


def _metric_row(family: MetricFamily) -> str:
    labels = ", ".join(f"`{label}`" for label in family.labels) or "–"
    return f"| `{family.name}` | {family.kind} | {labels} | {cell(family.help)} |"


def _setting_rows(settings: type[ServiceSettings]) -> list[str]:
    document = settings.model_json_schema()
    required = set(document.get("required", ()))
    fields: list[tuple[str, dict[str, Any]]] = sorted(
        document["properties"].items(), key=lambda item: item[0] not in required
    )
    definitions = document.get("$defs", {})
    return [
        _setting_row(settings, name, {**definitions.get(_reference(field), {}), **field}, name in required)
        for name, field in fields
    ]


def _reference(field: dict[str, Any]) -> str:
    """The name of the definition that a field refers to: an enumeration is one of its own in a JSON schema."""
    return str(field.get("$ref", "")).rpartition("/")[2]


def _setting_row(settings: type[ServiceSettings], name: str, field: dict[str, Any], required: bool) -> str:
    lock = " 🔒" if is_secret(settings, name) else ""
    default = _REQUIRED if required else _default(field)
    description = cell(field.get("description", ""))
    return f"| `{settings.prefix}{name.upper()}`{lock} | {_type(field)} | {default} | {description} |"


def is_secret(settings: type[ServiceSettings], name: str) -> bool:
    """Whether the field is one that must not be shown: a secret type, or one that is kept out of the repr."""
    return settings.model_fields[name].repr is False or "SecretStr" in str(settings.model_fields[name].annotation)


def _default(field: dict[str, Any]) -> str:
    default = field.get("default")
    if default == "":
        return "empty"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _type(field: dict[str, Any]) -> str:
    names = {"integer": "whole number", "number": "number", "boolean": "true or false", "string": "text"}
    low = field.get("minimum", field.get("exclusiveMinimum"))
    high = field.get("maximum", field.get("exclusiveMaximum"))
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if low is None and high is None:
        return names[field["type"]]
    above = "over " if "exclusiveMinimum" in field else ""
    return f"{names[field['type']]}, {above}{low} to {high}"


def main() -> None:
    """Write all of them."""
    (_DIRECTORY / "metrics.md").write_text(render_metrics(), encoding="utf-8")
    (_DIRECTORY / "settings.md").write_text(render_settings(), encoding="utf-8")
    (_DIRECTORY / "policy.md").write_text(render_policy(), encoding="utf-8")
    (_DIRECTORY / "features.md").write_text(render_features(), encoding="utf-8")


if __name__ == "__main__":
    main()
