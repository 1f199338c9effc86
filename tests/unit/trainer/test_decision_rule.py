"""Which days the outcomes of decisions are looked for in, and when too much contradicts time."""

import pytest

from services.trainer.dataset import UnusableRows
from services.trainer.decision_rows import DecisionRule, check_violations
from services.trainer.lake.reading import ALL_DAYS, Days

HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("attribution_hours", "until"), [(0, "2026-01-31"), (1, "2026-02-01"), (24, "2026-02-01"), (25, "2026-02-02")]
)
def test_outcomes_may_come_as_late_as_the_window_says(attribution_hours: int, until: str) -> None:
    rule = DecisionRule("upgrade", attribution_hours * HOUR_MS, Days("2026-01-01", "2026-01-31"))
    assert rule.outcome_days == Days("2026-01-01", until)


def test_without_a_last_day_there_is_none_for_outcomes() -> None:
    assert DecisionRule("upgrade", HOUR_MS).outcome_days == ALL_DAYS


def test_a_few_contradictions_are_left_out_and_many_refused() -> None:
    check_violations({"None": 990, "outcome_before_decision": 10})
    with pytest.raises(UnusableRows, match="20 of 1000 shown decisions are features_after_decision"):
        check_violations({"None": 980, "features_after_decision": 20})
