"""What the trainer is asked for, and its reports."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from demo.errors import DemoFailed
from demo.simulator import CAMPAIGN_ID

POSITIVE_CLICKS: Final = "adv_free_referral"
"""The campaign of the real logs whose clicks a model is to foresee."""

_ALGORITHMS: Final = ("logistic", "svm")
_MEASURES: Final = ("error", "auc", "log_loss")

IMPRESSIONS: Final = ("--rows", "impressions", "--campaign", CAMPAIGN_ID)
CLICKS: Final = ("--rows", "clicks", "--positive-campaign", POSITIVE_CLICKS)
QUICKLY: Final = (
    *("--folds", "3", "--tuning-folds", "3"),
    *("--regularisations", "0.001,0.01"),
    *("--svm-iterations", "25"),
    *("--class-weights", "plain"),
)
"""Few folds, values and steps: enough for an honest number, quick enough to watch."""

TENFOLD: Final = (
    *("--folds", "10", "--tuning-folds", "3"),
    *("--regularisations", "0.0001,0.001"),
    *("--svm-iterations", "50"),
    *("--class-weights", "plain"),
)
"""Ten folds, as the error of the public features file is usually told."""

AGAIN: Final = (
    *("--folds", "3", "--tuning-folds", "3"),
    *("--regularisations", "0.0001,0.001"),
    *("--svm-iterations", "50"),
    *("--class-weights", "plain"),
)
"""A retraining on the public features file: as little regularised as the model that it is to replace, and as long fitted, or the
gate sees it."""


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """What one `train` reported: the part for the summary, why the gate refused (empty: it passed), the version, and the
    algorithm that made it."""

    summary: dict[str, Any]
    refusals: tuple[str, ...]
    version: str
    algorithm: str


def again(report: TrainingReport) -> tuple[str, ...]:
    """The arguments that keep a retraining to the algorithm of what serves already: the better one is known."""
    return ("--algorithms", report.algorithm)


def features_file(path: Path) -> tuple[str, ...]:
    """The arguments that train on a file in libsvm format."""
    return ("--features-file", str(path))


def to_training_report(report: dict[str, Any]) -> TrainingReport:
    """The trainer's report in the summary's words. Raises `DemoFailed` when something is missing in it."""
    try:
        gate = report["gate"]
        refusals = tuple(check["sentence"] for check in gate["checks"] if not check["passed"])
        summary: dict[str, Any] = {
            "rows": report["rows"],
            **{algorithm: _measures(report[algorithm]) for algorithm in _ALGORITHMS if algorithm in report},
            "never_show": {name: report["never_show"][name] for name in ("error", "log_loss")},
            "parity_max_abs": report["parity_max_abs"],
            "gate": "passed" if gate["passed"] else "refused: " + " ".join(refusals),
            "published": report["published"],
        }
        return TrainingReport(summary, refusals, report["published"] or "", gate["algorithm"])
    except KeyError as error:
        raise DemoFailed(f"the trainer's report has no {error}.") from error


def _measures(candidate: dict[str, Any]) -> dict[str, Any]:
    return {name: candidate[name] for name in _MEASURES}
