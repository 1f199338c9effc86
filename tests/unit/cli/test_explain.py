"""`interlude explain`: how an explanation reads."""

from cli.explain import to_text
from interlude.v1 import decision_pb2 as pb


def _explanation(*, show: bool) -> pb.ExplainResponse:
    reason = pb.REASON_SHOW if show else pb.REASON_FREQUENCY_CAP
    return pb.ExplainResponse(
        answer=pb.DecideResponse(
            show=show, reason=reason, campaign_id="premium-day", score=0.25, rung=pb.RUNG_FULL, arm="brave"
        ),
        rules=[
            pb.RuleOutcome(reason=pb.REASON_LEVEL, detail="FREE"),
            pb.RuleOutcome(
                reason=pb.REASON_FREQUENCY_CAP,
                matched=not show,
                detail="3 of 3 in 24 h",
                to_change="" if show else "wait 2 h",
            ),
        ],
        features=[pb.NamedFeature(name="listens", value=3, unit="tracks")],
        nearest_yes=[] if show else [pb.Change(field="now_ms", value="1700000000000", text="wait 2 h")],
    )


def test_every_rule_has_its_mark_its_values_and_what_would_change_it() -> None:
    assert to_text(_explanation(show=False), 7).splitlines() == [
        "customer 7, campaign premium-day: no offer (FREQUENCY_CAP, rung FULL, score 0.250, arm brave)",
        "",
        "  ✓  LEVEL          FREE",
        "  ✗  FREQUENCY_CAP  3 of 3 in 24 h  → wait 2 h",
        "",
        "the offer would be shown with",
        "  wait 2 h  now_ms  1700000000000",
    ]


def test_a_shown_offer_needs_no_change() -> None:
    assert to_text(_explanation(show=True), 7).splitlines()[-1] == "  ✓  FREQUENCY_CAP  3 of 3 in 24 h"


def test_an_answer_that_nothing_would_change_says_so() -> None:
    explanation = _explanation(show=False)
    explanation.ClearField("nearest_yes")
    assert to_text(explanation, 7).splitlines()[-1] == "nothing would show the offer"


def test_features_are_printed_when_asked_for() -> None:
    assert to_text(_explanation(show=True), 7, with_features=True).splitlines()[-1] == "  listens  3  tracks"
