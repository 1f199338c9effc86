"""What is measured is what is reported."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from demo.enriching import Enriched, parse_enriched
from demo.percentiles import percentile
from demo.promises import broken_by_calls, broken_by_events, broken_by_texts
from demo.setup_time import take_setup_seconds
from demo.status import read_status, write_status
from demo.summary import Aside, Summary, to_table, write_summary
from demo.training import again, to_training_report

EXPOSITION = """\
# HELP interlude_enricher_events_total Events by topic and outcome.
# TYPE interlude_enricher_events_total counter
interlude_enricher_events_total{outcome="applied",topic="listens"} 40.0
interlude_enricher_events_total{outcome="applied",topic="customers"} 2.0
interlude_enricher_events_total{outcome="returned",topic="customers"} 9.0
interlude_enricher_events_total{outcome="duplicate",topic="listens"} 3.0
interlude_enricher_events_total{outcome="dead_lettered",topic="ad-events"} 1.0
# HELP interlude_enricher_conflicts_total Conflicts.
# TYPE interlude_enricher_conflicts_total counter
interlude_enricher_conflicts_total 9.0
"""

MEASURES = {"error": 0.04, "auc": 0.95, "log_loss": 0.16, "regularisation": 0.01, "passed": True}
REPORT = {
    "rows": 100,
    "logistic": MEASURES,
    "svm": MEASURES,
    "never_show": {"error": 0.15, "log_loss": 0.44},
    "parity_max_abs": 1e-7,
    "gate": {"algorithm": "logistic", "passed": True, "checks": [{"passed": True, "sentence": "Fine."}]},
    "published": "abc",
}


def test_percentiles_are_measured_values() -> None:
    values = [float(value) for value in range(1, 101)]
    assert percentile(values, 0.50) == 50
    assert percentile(values, 0.99) == 99
    assert percentile([7.0], 0.99) == 7
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


def test_the_enrichers_counts_are_added_up_over_topics() -> None:
    assert parse_enriched(EXPOSITION) == Enriched(applied=42, duplicate=3, dead_lettered=1)
    assert parse_enriched(EXPOSITION).seen == 46


def test_a_status_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    assert read_status(path) is None
    write_status(path, {"asked": 1})
    write_status(path, {"asked": 2})
    assert read_status(path) == {"asked": 2}
    assert list(tmp_path.iterdir()) == [path]


def test_the_seconds_of_a_setup_count_for_one_run(tmp_path: Path) -> None:
    path = tmp_path / "setup-seconds"
    assert take_setup_seconds(path) == 0
    path.write_text("12.5\n")
    assert take_setup_seconds(path) == 12.5
    assert take_setup_seconds(path) == 0


def test_every_event_is_applied_once_or_was_spoilt() -> None:
    assert broken_by_events(10, Enriched(applied=8, dead_lettered=2), spoilt=2) == []
    assert len(broken_by_events(10, Enriched(applied=7, dead_lettered=2), spoilt=2)) == 1
    assert len(broken_by_events(10, Enriched(applied=8, duplicate=1, dead_lettered=2), spoilt=2)) == 1
    assert len(broken_by_events(10, Enriched(applied=8, dead_lettered=2), spoilt=1)) == 1


def test_no_call_may_fail_and_two_models_must_answer() -> None:
    kept = {"failed": 0, "errors": {}, "model_versions": {"a": 1, "b": 2}}
    assert broken_by_calls(kept, probes_lost=0) == []
    assert len(broken_by_calls(kept | {"failed": 1}, probes_lost=0)) == 1
    assert len(broken_by_calls(kept | {"model_versions": {"a": 3}}, probes_lost=0)) == 1
    assert len(broken_by_calls(kept, probes_lost=1)) == 1
    (sentence,) = broken_by_calls(kept | {"model_versions": {"a": 3}}, probes_lost=0, refusals=["Too bad."])
    assert "Too bad" in sentence


def test_every_message_has_its_receipt() -> None:
    assert broken_by_texts({"sent": 3, "delivered": 3}, []) == []
    assert len(broken_by_texts({"sent": 3, "delivered": 2}, [])) == 1
    assert len(broken_by_texts({"sent": 0, "delivered": 0}, [])) == 1
    assert broken_by_texts({"sent": 3, "delivered": 3}, ["1 Gold customers were texted"])


def test_a_training_report_keeps_what_the_summary_names() -> None:
    report = to_training_report(REPORT)
    assert report.version == "abc"
    assert report.summary["gate"] == "passed"
    assert report.summary["logistic"] == {"error": 0.04, "auc": 0.95, "log_loss": 0.16}


def test_a_refusal_is_told_in_the_gates_own_words() -> None:
    checks = [{"passed": False, "sentence": "Too bad."}, {"passed": True, "sentence": "Ok."}]
    gate = {"algorithm": "svm", "passed": False, "checks": checks}
    report = to_training_report(REPORT | {"gate": gate, "published": None})
    assert report.version == ""
    assert report.summary["gate"] == "refused: Too bad."
    assert report.refusals == ("Too bad.",)


def test_a_retraining_keeps_to_the_algorithm_that_serves() -> None:
    assert again(to_training_report(REPORT)) == ("--algorithms", "logistic")


def summary() -> Summary:
    training = to_training_report(REPORT).summary
    return Summary(
        events={"produced": 10, "applied": 9, "dead_lettered": 1},
        training=training | {"replayed": training},
        decisions={
            "asked": 5,
            "shown": 1,
            "reasons": {"SHOW": 1, "LOW_SCORE": 4},
            "p50_ms": 1.0,
            "p99_ms": 2.0,
            "late": 0,
            "degraded": 0,
            "model_versions": {"abc": 3, "def": 2},
        },
        freshness={"p50_ms": 1.5, "p99_ms": 9.0},
        sms={"requested": 3, "sent": 2, "delivered": 2, "suppressed": {"no_phone": 1}},
        seconds={"setup": 0.0, "ready": 8.0, "total": 60.0},
    )


def test_the_document_has_the_promised_parts(tmp_path: Path) -> None:
    path = tmp_path / "demo" / "summary.json"
    write_summary(summary(), path)
    document = json.loads(path.read_text())
    assert list(document) == ["events", "training", "decisions", "freshness", "sms", "seconds"]
    assert document["sms"]["suppressed"] == {"no_phone": 1}


def test_the_table_tells_the_same_to_people() -> None:
    aside = Aside(
        folded_per_second=12_345,
        live_events_per_second=501,
        failed_calls=0,
        clicks=1,
        expected_clicks=0.9,
        bayes_error=0.032,
        second_model="def",
    )
    console = Console(width=120, file=io.StringIO(), record=True)
    console.print(to_table(summary(), aside))
    told = console.export_text()
    for expected in (
        "12,345",
        "10 produced",
        "error 4.00%",
        "3.20%",
        "LOW_SCORE 4",
        "no_phone 1",
        "p99 9.0 ms",
        "replayed",
    ):
        assert expected in told
