"""What was measured: for machines as var/demo/summary.json, for people as a table."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from devstack.places import VAR

SUMMARY_FILE: Final = VAR / "demo" / "summary.json"


@dataclass(frozen=True, slots=True)
class Summary:
    """The parts of the document, each a mapping of what it is named after; every number in them was measured."""

    events: Mapping[str, Any]
    training: Mapping[str, Any]
    decisions: Mapping[str, Any]
    freshness: Mapping[str, Any]
    sms: Mapping[str, Any]
    seconds: Mapping[str, Any]

    def to_json(self) -> str:
        """The document."""
        parts = ("events", "training", "decisions", "freshness", "sms", "seconds")
        return json.dumps({part: getattr(self, part) for part in parts}, indent=2, allow_nan=False) + "\n"


@dataclass(frozen=True, slots=True)
class Aside:
    """Measured too, and told to people only."""

    folded_per_second: float
    live_events_per_second: float
    failed_calls: int
    clicks: int
    expected_clicks: float
    bayes_error: float | None
    second_model: str


def write_summary(summary: Summary, path: Path) -> None:
    """Replace the file in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.write_text(summary.to_json())
    draft.replace(path)


def to_table(summary: Summary, aside: Aside) -> Table:
    """The same for people."""
    table = Table(title="What happened", title_justify="left", show_header=False, padding=(0, 1))
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for name, text in (
        *_event_rows(summary, aside),
        *_training_rows(summary.training, aside),
        *_decision_rows(summary.decisions, aside),
        *_other_rows(summary, aside),
    ):
        table.add_row(name, text)
    return table


def _event_rows(summary: Summary, aside: Aside) -> list[tuple[str, str]]:
    events = summary.events
    counts = f"{events['produced']:,} produced, {events['applied']:,} applied, {events['dead_lettered']} dead-lettered"
    return [("events", counts), ("history", f"folded at {aside.folded_per_second:,.0f} events/s")]


def _training_rows(training: Mapping[str, Any], aside: Aside) -> list[tuple[str, str]]:
    rows = [("training", f"{training['rows']:,} rows; gate {training['gate']}"), *_model_rows(training)]
    if aside.bayes_error is not None:
        rows.append(("  ground truth", f"nobody can do better than error {aside.bayes_error:.2%}"))
    replayed = training.get("replayed")
    if replayed:
        rows.append(("  replayed logs", f"{replayed['rows']:,} rows; gate {replayed['gate']}"))
        rows += _model_rows(replayed)
    rows.append(("  parity", f"Spark, scikit-learn, ONNX Runtime differ by up to {training['parity_max_abs']:.1e}"))
    rows.append(("  published", f"{training['published']}, then under traffic {aside.second_model}"))
    return rows


def _model_rows(training: Mapping[str, Any]) -> list[tuple[str, str]]:
    never = training["never_show"]
    return [
        *((f"  {name}", _measures(training[name])) for name in ("logistic", "svm") if name in training),
        ("  never show", f"error {never['error']:.2%}, log-loss {never['log_loss']:.4f}"),
    ]


def _measures(model: Mapping[str, Any]) -> str:
    if None in model.values():
        return "not finite"
    return f"error {model['error']:.2%}, AUC {model['auc']:.4f}, log-loss {model['log_loss']:.4f}"


def _decision_rows(decisions: Mapping[str, Any], aside: Aside) -> list[tuple[str, str]]:
    return [
        ("decisions", f"{decisions['asked']:,} asked, {decisions['shown']:,} shown, {aside.failed_calls} failed calls"),
        ("  why", _counts(decisions["reasons"])),
        ("  latency", f"p50 {decisions['p50_ms']:.2f} ms, p99 {decisions['p99_ms']:.2f} ms, {decisions['late']} late"),
        ("  models", _counts(decisions["model_versions"])),
        ("  clicks", f"{aside.clicks} of those shown; {aside.expected_clicks:.1f} expected by the ground truth"),
    ]


def _other_rows(summary: Summary, aside: Aside) -> list[tuple[str, str]]:
    freshness, sms, seconds = summary.freshness, summary.sms, summary.seconds
    suppressed = f", suppressed: {_counts(sms['suppressed'])}" if sms["suppressed"] else ""
    return [
        (
            "freshness",
            f"p50 {freshness['p50_ms']:.1f} ms, p99 {freshness['p99_ms']:.1f} ms "
            f"at {aside.live_events_per_second:,.0f} events/s",
        ),
        ("sms", f"{sms['requested']:,} requested, {sms['sent']:,} sent, {sms['delivered']:,} delivered{suppressed}"),
        ("seconds", f"setup {seconds['setup']:.1f}, ready {seconds['ready']:.1f}, total {seconds['total']:.1f}"),
    ]


def _counts(counts: Mapping[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {count:,}" for name, count in ordered)
