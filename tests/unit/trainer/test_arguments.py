"""The command line: its defaults, and that a mistake is not mistaken for the gate's refusal."""

import pytest

from services.trainer.arguments import USAGE, build_parser, to_request, to_row_rule
from services.trainer.history import RowKind, RowRule
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
