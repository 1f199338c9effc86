"""Trainings as runs of MLflow, for those who compare them there.

Nothing reads a run back: what serves is named by the model store (docs/adr/0020), and a tracking server that is down costs a
sentence, not a training. MLflow is not among what the trainer installs: `pip install -r requirements/tracking.txt`.
"""

import importlib
import importlib.util
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

PACKAGE: Final = "mlflow"
DEFAULTS: Final = {
    # A round of the loop must not wait for a server that is gone: MLflow would ask it for some minutes.
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    # Its directories of runs are what it has without a server; it asks for this before it writes one.
    "MLFLOW_ALLOW_FILE_STORE": "true",
    # Standard output belongs to the report.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
_LONGEST_VALUE: Final = 500
"""Characters of a parameter or tag: what every version of its stores takes."""


class NotTracked(Exception):
    """The run is not, or not completely, where it was to be; the message says why."""


def is_installed() -> bool:
    """Whether MLflow can be imported."""
    return importlib.util.find_spec(PACKAGE) is not None


def track(
    uri: str, experiment: str, report: Mapping[str, Any], asked: Mapping[str, Any], files: Mapping[str, bytes]
) -> str:
    """Write one training as a run and return the run's id.

    `report` is that of the README, `asked` what the command line said, `files` what goes with the run, by name. Raises
    `NotTracked`.
    """
    with _told_as_not_tracked(uri):
        client = _client(uri)
        run_id: str = client.create_run(
            _experiment_id(client, experiment),
            start_time=_started_ms(report),
            tags=tags_of(report),
            run_name=report["published"] or f"refused {report['gate']['algorithm']}",
        ).info.run_id
        for name, value in asked.items():
            client.log_param(run_id, name, str(value)[:_LONGEST_VALUE])
        for name, value in metrics_of(report).items():
            client.log_metric(run_id, name, value)
        _log_files(client, run_id, files)
        client.set_terminated(run_id)
        return run_id


def metrics_of(report: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a report, named by their path in it, as in `logistic.error` and `gate.calibration`; null ones are left out."""
    metrics = dict(_numbers({name: value for name, value in report.items() if name not in ("gate", "evidence")}))
    checks = report["gate"]["checks"]
    return metrics | {f"gate.{check['name']}": float(check["value"]) for check in checks if check["value"] is not None}


def tags_of(report: Mapping[str, Any]) -> dict[str, str]:
    """What a run is searched by: its version, the verdict, and each refusal's sentence by the name of its check."""
    gate = report["gate"]
    refusals = {f"refused.{check['name']}": check["sentence"] for check in gate["checks"] if not check["passed"]}
    tags = {
        "version": report["published"] or "",
        "algorithm": gate["algorithm"],
        "gate": "passed" if gate["passed"] else "refused",
        "promoted": str(report["promoted"]).lower(),
        "champion": (report["champion"] or {}).get("version", ""),
    }
    return {name: sentence[:_LONGEST_VALUE] for name, sentence in (tags | refusals).items()}


def _numbers(document: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, float]]:
    for name, value in document.items():
        if isinstance(value, Mapping):
            yield from _numbers(value, f"{path}{name}.")
        elif isinstance(value, bool | int | float):
            yield f"{path}{name}", float(value)


def _started_ms(report: Mapping[str, Any]) -> int:
    seconds: float = report["seconds"].get("total", 0.0)
    return round(1000 * (time.time() - seconds))


def _client(uri: str) -> Any:
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    # Where it is not asked for, it is not imported either: that takes seconds.
    return importlib.import_module(f"{PACKAGE}.tracking").MlflowClient(uri)


def _experiment_id(client: Any, name: str) -> str:
    """The experiment of this name, made where there is none."""
    found = client.get_experiment_by_name(name)
    made: str = found.experiment_id if found is not None else client.create_experiment(name)
    return made


def _log_files(client: Any, run_id: str, files: Mapping[str, bytes]) -> None:
    with TemporaryDirectory(prefix="interlude-tracking-") as directory:
        for name, content in files.items():
            (Path(directory) / name).write_bytes(content)
        client.log_artifacts(run_id, directory)


@contextmanager
def _told_as_not_tracked(uri: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        # MLflow's own, those of requests, of the file system, of each artifact store: none of them may end a training.
        raise NotTracked(f"no run was completed at {uri}: {' '.join(str(error).split())[:_LONGEST_VALUE]}") from error
