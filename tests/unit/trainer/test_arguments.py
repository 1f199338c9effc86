"""The command line: its defaults, and that a mistake is not mistaken for the gate's refusal."""

from typing import Final

import pytest

from interlude.features.schema import STATE_FEATURE_NAMES
from services.trainer.arguments import USAGE, build_parser, to_decision_rule, to_request, to_row_rule
from services.trainer.decision_rows import DecisionRule
from services.trainer.history import RowKind, RowRule
from services.trainer.lake.reading import ALL_DAYS, Days
from services.trainer.linear import Algorithm


@pytest.mark.parametrize(
    "line",
    [
        "",
        "fly",
        "train",
        "train --features-file a --rows clicks",
        "train --features-file a --folds 1",
        "train --features-file a --threshold 1.5",
        "train --features-file a --regularisations 0,-1",
        "train --features-file a --algorithms forest",
        "train --features-file a --attribution-hours 0",
        "train --rows impressions --features mobile,shoe_size",
        "train --rows impressions --features mobile,mobile",
        "train --rows decisions --since yesterday",
        "lake",
        "lake fly",
        "audience",
        "promote",
    ],
)
def test_mistakes_end_with_their_own_code(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        build_parser().parse_args(line.split())
    assert ended.value.code == USAGE
    assert "usage" in capsys.readouterr().err


def test_defaults_are_those_of_the_readme() -> None:
    request = to_request(build_parser().parse_args(["train", "--features-file", "rows.libsvm"]))
    assert request.algorithms == (Algorithm.LOGISTIC, Algorithm.SVM)
    assert request.plan.regularisations == (0.0, 1e-4, 1e-3, 1e-2)
    assert (request.plan.tuning.folds, request.plan.measuring.folds) == (3, 10)
    assert request.threshold == 0.5
    assert not request.promote


def test_rows_of_the_log() -> None:
    arguments = build_parser().parse_args(
        ["train", "--rows", "clicks", "--positive-campaign", "x", "--attribution-hours", "2"]
    )
    assert to_row_rule(arguments) == RowRule(RowKind.CLICKS, "x", 7_200_000)


def test_equal_numbers_of_folds_are_one_split_so_that_nothing_is_fitted_twice() -> None:
    request = to_request(build_parser().parse_args(["train", "--features-file", "a", "--folds", "3"]))
    assert request.plan.tuning == request.plan.measuring
    assert len(request.plan.splits) == 1


def test_a_model_takes_the_stored_vector_unless_told_otherwise() -> None:
    line = ["train", "--rows", "impressions"]
    assert build_parser().parse_args(line).features == STATE_FEATURE_NAMES
    assert build_parser().parse_args([*line, "--features", "mobile,recency"]).features == ("mobile", "recency")


NOW_MS: Final = 1_772_323_200_001
"""Just after midnight on 2026-03-01, UTC."""


def test_decisions_of_the_lake() -> None:
    parse = build_parser().parse_args
    days = ["--since", "2026-01-01", "--until", "2026-01-31"]
    some = parse(["train", "--rows", "decisions", "--campaign", "x", *days, "--attribution-hours", "1"])
    assert to_decision_rule(some, NOW_MS) == DecisionRule("x", 3_600_000, Days("2026-01-01", "2026-01-31"))
    assert to_decision_rule(parse(["train", "--rows", "decisions", "--campaign", "x"]), NOW_MS).days == ALL_DAYS


def test_what_runs_every_night_reads_the_last_days_alone() -> None:
    line = ["uplift", "--campaign", "x", "--last-days"]
    assert to_decision_rule(build_parser().parse_args([*line, "1"]), NOW_MS).days == Days("2026-03-01")
    assert to_decision_rule(build_parser().parse_args([*line, "3"]), NOW_MS).days == Days("2026-02-27")
    for wrong in ([*line, "0"], [*line, "2", "--since", "2026-01-01"]):
        with pytest.raises(SystemExit):
            build_parser().parse_args(wrong)


@pytest.mark.parametrize(
    ("line", "lake"), [("", None), ("--lake", ""), ("--lake s3a://bucket/lake", "s3a://bucket/lake")]
)
def test_the_lake_is_asked_for_by_name_or_by_its_url(line: str, lake: str | None) -> None:
    assert build_parser().parse_args(["train", "--rows", "impressions", *line.split()]).lake == lake
