import pytest

from bench.chaos.findings import ALL, NONE, Finding, Goal, Relation, render


@pytest.mark.parametrize(
    ("goal", "good", "bad"),
    [
        (Goal(Relation.AT_LEAST, 0.9), 0.9, 0.89),
        (Goal(Relation.AT_MOST, 3), 3, 3.01),
        (Goal(Relation.BELOW, 2), 1.99, 2),
        (NONE, 0, 1),
        (ALL, 1, 0.999999),
    ],
)
def test_a_goal_is_met_or_not(goal: Goal, good: float, bad: float) -> None:
    assert goal.is_met_by(good)
    assert not goal.is_met_by(bad)


def test_a_figure_says_what_was_hoped_for() -> None:
    figure = Finding("goodput", 0.87654321, "× capacity", "at 2 ×", Goal(Relation.AT_LEAST, 0.9)).to_figure()
    assert (figure.value, figure.unit, figure.compared_to) == (0.876543, "× capacity", "at 2 ×; goal ≥ 0.9")
    assert Finding("calls", 5, "calls", "at 2 ×").to_figure().compared_to == "at 2 ×"


def test_the_table_marks_what_was_missed() -> None:
    _, missed, met, plain = render(
        [Finding("a", 1, "calls", "", NONE), Finding("b", 0, "calls", "", NONE), Finding("c", 1234, "calls", "")]
    ).splitlines()
    assert missed.split() == ["a", "=", "0", "1", "NO", "calls"]
    assert met.split() == ["b", "=", "0", "0", "yes", "calls"]
    assert plain.split() == ["c", "1,234", "calls"]
