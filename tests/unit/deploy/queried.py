"""Whether an expression asks for what the services export, and the values that labels can have."""

from collections.abc import Mapping
from typing import Final

from interlude.contacts.leases import Flow
from services.decision.metrics import FRONT_ENDS, REFUSAL_CAUSES
from services.decision.policy import Reason, Rung
from services.enricher.handler import STREAMS
from services.enricher.reconciliation import EventOutcome
from services.sms.policy import Reason as SmsReason
from services.trainer.lake.tables import TABLES
from tests.unit.deploy.promql import Expression, read_expression

TARGET_LABELS: Final = frozenset({"job", "instance"})
"""What Prometheus itself adds to every series."""

_VALUES: Final[dict[tuple[str, str], frozenset[str]]] = {
    ("interlude_decision_answers_total", "reason"): frozenset(reason.name.lower() for reason in Reason),
    ("interlude_decision_answers_total", "rung"): frozenset(rung.name.lower() for rung in Rung),
    ("interlude_decision_front_ended_total", "end"): frozenset(FRONT_ENDS),
    ("interlude_decision_front_refused_total", "cause"): frozenset(REFUSAL_CAUSES),
    ("interlude_decision_seconds_bucket", "method"): frozenset({"Decide", "DecideBatch", "Explain", "ReportOutcome"}),
    ("interlude_decision_budget_units_total", "way"): frozenset(Flow),
    ("interlude_enricher_events_total", "outcome"): frozenset(EventOutcome),
    ("interlude_enricher_events_total", "topic"): frozenset(STREAMS),
    ("interlude_enricher_newest_applied_age_seconds", "topic"): frozenset(STREAMS),
    ("interlude_enricher_received_total", "topic"): frozenset(STREAMS),
    ("interlude_trainer_lake_newest_event_seconds", "table"): frozenset(table.name for table in TABLES),
    ("interlude_sms_budget_units_total", "flow"): frozenset(Flow),
    ("interlude_sms_campaign_documents_total", "result"): frozenset({"loaded", "refused"}),
    ("interlude_sms_requests_total", "status"): frozenset({"sent", "failed", "suppressed"}),
    ("interlude_sms_requests_total", "reason"): frozenset(reason.name.lower() for reason in SmsReason),
}


def faults(text: str, series: Mapping[str, frozenset[str]]) -> list[str]:
    """Everything that `text` names and no service exports. `series`: names with their labels."""
    expression = read_expression(text)
    if not expression.selectors:
        return [f"{text} names no metric"]
    return [*_unknown_series(expression, series), *_unknown_labels(expression, series), *_unknown_values(expression)]


def _unknown_series(expression: Expression, series: Mapping[str, frozenset[str]]) -> list[str]:
    return [f"no metric {selector.series}" for selector in expression.selectors if selector.series not in series]


def _unknown_labels(expression: Expression, series: Mapping[str, frozenset[str]]) -> list[str]:
    """A label that is grouped by must belong to every series of the expression, or it would merge what it should part."""
    found = []
    for selector in expression.selectors:
        known = series.get(selector.series, frozenset()) | TARGET_LABELS
        used = {label for label, _, _ in selector.matchers} | expression.grouping
        found += [f"{selector.series} has no label {label}" for label in sorted(used - known)]
    return found


def _unknown_values(expression: Expression) -> list[str]:
    """Patterns may be alternatives ("a|b") and nothing else: each is checked as a value."""
    return [
        f"{selector.series}: {label} is never {value}"
        for selector in expression.selectors
        for label, operator, pattern in selector.matchers
        for value in (pattern.split("|") if operator in {"=~", "!~"} else [pattern])
        if value not in _VALUES.get((selector.series, label), frozenset())
    ]
