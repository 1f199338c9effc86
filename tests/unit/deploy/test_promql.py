"""The tests' reader of PromQL finds what an expression names, and nothing else."""

import pytest

from tests.unit.deploy.promql import Expression, NotPromql, Selector, read_expression
from tests.unit.deploy.queried import faults

_SERIES = {"http_total": frozenset({"method"}), "wait_bucket": frozenset({"le"})}


@pytest.mark.parametrize(
    ("text", "selectors", "grouping"),
    [
        ("up", (Selector("up"),), set()),
        ("sum by (a, b) (rate(x_total[5m]))", (Selector("x_total"),), {"a", "b"}),
        ("sum(rate(x_total[$__rate_interval])) by (a)", (Selector("x_total"),), {"a"}),
        (
            'x{a="b",c=~"d|e"} / on (f) y{}',
            (Selector("x", (("a", "=", "b"), ("c", "=~", "d|e"))), Selector("y")),
            {"f"},
        ),
        ("histogram_quantile(0.99, sum by (le) (rate(x_bucket[1h]))) > 1e-3", (Selector("x_bucket"),), {"le"}),
        (
            '(sum(x{a="by (z)"}) or vector(0)) and on () absent(y)',
            (Selector("x", (("a", "=", "by (z)"),)), Selector("y")),
            set(),
        ),
        ("x offset 5m > bool 3", (Selector("x"),), set()),
    ],
)
def test_reads(text: str, selectors: tuple[Selector, ...], grouping: set[str]) -> None:
    assert read_expression(text) == Expression(selectors, frozenset(grouping))


@pytest.mark.parametrize("text", ["sum(x", "x{a=b}", 'x{a="b" c}', "x)", "x ; y"])
def test_refuses(text: str) -> None:
    with pytest.raises(NotPromql):
        read_expression(text)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("rate(http_requests_total[5m])", "no metric http_requests_total"),
        ("sum by (code) (http_total)", "http_total has no label code"),
        ('http_total{path="/"}', "http_total has no label path"),
        ("histogram_quantile(0.5, rate(wait[5m]))", "no metric wait"),
        ("vector(1)", "vector(1) names no metric"),
    ],
)
def test_faults_are_named(text: str, fault: str) -> None:
    assert fault in faults(text, _SERIES)


def test_a_value_that_never_occurs_is_a_fault() -> None:
    series = {"interlude_decision_answers_total": frozenset({"reason", "rung"})}
    assert faults('interlude_decision_answers_total{rung!="full"}', series) == []
    assert faults('interlude_decision_answers_total{rung!="ful"}', series) == [
        "interlude_decision_answers_total: rung is never ful"
    ]
