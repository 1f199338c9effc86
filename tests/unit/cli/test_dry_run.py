"""`interlude campaign dry-run`: how the comparison is counted and read."""

from pathlib import Path

import pytest

from cli import exits
from cli.__main__ import main
from cli.dry_run import compare, to_report
from interlude.contacts.campaign import Campaign, Campaigns
from interlude.features.schema import SCHEMA_VERSION
from interlude.v1 import decision_pb2 as pb
from tests.listeners import NEWEST_LISTEN_MS, hot_features


def _logged(
    decision_id: str, score: float, *, campaign_id: str = "spring", named: bool = True, schema: str = SCHEMA_VERSION
) -> pb.DecisionLogged:
    show = score >= 0.5
    return pb.DecisionLogged(
        decision_id=decision_id,
        request=pb.DecideRequest(request_id=decision_id, customer_id=1, campaign_id=campaign_id if named else ""),
        response=pb.DecideResponse(
            show=show,
            reason=pb.REASON_SHOW if show else pb.REASON_LOW_SCORE,
            campaign_id=campaign_id,
            score=score,
            model_version="v1",
            rung=pb.RUNG_FULL,
        ),
        decided_at_ms=NEWEST_LISTEN_MS + 1000,
        schema_version=schema,
        threshold=0.5,
        listener=hot_features(),
        budget=pb.BUDGET_STATE_OPEN,
    )


def _report(campaigns: Campaigns, decisions: list[pb.DecisionLogged]) -> list[str]:
    return list(to_report(compare(campaigns, decisions), campaigns))


def test_reasons_then_and_under_the_document_are_counted() -> None:
    brave = Campaign.model_validate(
        {"campaign_id": "spring", "arms": [{"name": "brave", "share": 1, "threshold": 0.25}]}
    )
    lines = [_logged("a", 0.75), _logged("b", 0.3), _logged("c", 0.3), _logged("d", 0.125), _logged("d", 0.125)]
    table, limit = _report(Campaigns(campaigns=(brave,)), lines)
    assert table.splitlines() == [
        "spring: 4 decisions, shown 1 (25.0%) → 3 (75.0%), 2 with another reason",
        "  then       under the document  decisions  share",
        "  LOW_SCORE  SHOW                2          50.0%",
        "  LOW_SCORE  the same            1          25.0%",
        "  SHOW       the same            1          25.0%",
    ]
    assert "contacts and budgets are as they were then" in limit


def test_campaigns_that_only_one_side_has_are_named() -> None:
    autumn = Campaigns(campaigns=(Campaign(campaign_id="autumn"), Campaign(campaign_id="spring")))
    lines = [_logged("a", 0.75, named=False), _logged("b", 0.75, campaign_id="winter")]
    assert _report(autumn, lines)[1:-1] == [
        "winter: not in the document; 1 decision would be refused as INVALID_ARGUMENT",
        "no decision of these campaigns is in the log: autumn",
        "1 decision named no campaign and went to spring, as whose they are judged here; the document's default is autumn",
    ]


def test_lines_of_another_schema_are_left_out_and_counted() -> None:
    report = _report(Campaigns(campaigns=(Campaign(campaign_id="spring"),)), [_logged("a", 0.75, schema="other")])
    assert "1 decision logged under another schema of features: left out" in report


def test_a_document_with_problems_is_not_tried(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "campaigns.yaml"
    path.write_text("campaigns: [{campaign_id: a, contacts_per_day: -1, minimum_gap_minutes: -1}]")
    assert main(["campaign", "dry-run", str(path), "--kafka", "nowhere:1"]) == exits.PROBLEMS
    assert len(capsys.readouterr().err.splitlines()) == 3
