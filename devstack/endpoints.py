"""`var/run/endpoints.json`: where everything is that `make up` left running."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from devstack.places import RUN
from devstack.stack import Stack
from devstack.system import System

ENDPOINTS: Final = RUN / "endpoints.json"
TRAINER_ENVIRONMENT: Final = RUN / "trainer.env"
_OWNER_ONLY: Final = 0o600


def describe_stack(stack: Stack) -> dict[str, Any]:
    """The parts: addresses, and process ids by name."""
    operator = stack.smsc
    return {
        "kafka": stack.kafka,
        "redis": stack.redis,
        "smsc": {
            "host": operator.host,
            "port": operator.port,
            "system_id": operator.settings.system_id,
            "record": str(operator.record),
        },
        "log_directory": str(stack.log_directory),
        "pids": {part.value: stack.process(part).pid for part in sorted(stack.parts, key=lambda part: part.value)},
    }


def describe_system(system: System) -> dict[str, Any]:
    """The parts, and our services on top."""
    described = describe_stack(system.stack)
    described["pids"] |= {service.value: process.pid for service, process in system.services.items()}
    return {
        **described,
        "decision": system.addresses.decision,
        "metrics": {service.value: system.metrics_url(service) for service in system.services},
        "model_store": str(system.environments.model_store),
        "model_public_key": system.environments.keys.model_public_key,
        "trainer_environment": str(TRAINER_ENVIRONMENT),
    }


def write_endpoints(described: Mapping[str, Any]) -> None:
    """Replaces the file in one step: a reader sees all of it or none."""
    RUN.mkdir(parents=True, exist_ok=True)
    draft = ENDPOINTS.with_suffix(".new")
    draft.write_text(json.dumps(described, indent=2) + "\n")
    draft.replace(ENDPOINTS)


def write_trainer_environment(environment: Mapping[str, str]) -> None:
    """A shell file with which `python -m services.trainer` trains for the running system; it holds the signing key."""
    RUN.mkdir(parents=True, exist_ok=True)
    TRAINER_ENVIRONMENT.unlink(missing_ok=True)
    TRAINER_ENVIRONMENT.touch(mode=_OWNER_ONLY)
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in environment.items()]
    TRAINER_ENVIRONMENT.write_text("".join(lines))


def remove_endpoints() -> None:
    """Takes both files away: nothing runs any more."""
    for path in (ENDPOINTS, TRAINER_ENVIRONMENT):
        path.unlink(missing_ok=True)


def render_table(path: Path = ENDPOINTS) -> str:
    """The endpoints for a person, one a line; process ids left out."""
    described = json.loads(path.read_text())
    rows = [(name, value) for name, value in _flatten(described) if not name.startswith("pids.")]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"  {name:<{width}}  {value}" for name, value in rows)


def _flatten(described: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for name, value in described.items():
        if isinstance(value, dict):
            rows += _flatten(value, f"{prefix}{name}.")
        else:
            rows.append((f"{prefix}{name}", str(value)))
    return rows
