"""`interlude campaign`: what is printed, and the exit codes that scripts rely on."""

from pathlib import Path

import pytest

from cli import exits
from cli.__main__ import main

DOCUMENT = """
campaigns:
  - campaign_id: spring
    contacts_per_day: 2
    budget: {discounts: 100}
    arms: [{name: model, share: 1, threshold: 0.4}]
  - campaign_id: autumn
    enabled: false
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "campaigns.yaml"
    path.write_text(DOCUMENT)
    return path


def test_a_document_in_order(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["campaign", "check", str(path)]) == exits.OK
    assert capsys.readouterr().out.startswith(f"{path}: in order, version ")


def test_every_problem_is_printed_also_those_of_texts(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_text("campaigns: [{campaign_id: a, contacts_per_day: -1, budget: {discounts: x}}]")
    assert main(["campaign", "check", str(path)]) == exits.PROBLEMS
    assert capsys.readouterr().err.splitlines()[1:] == [
        "  - campaigns[0].contacts_per_day: is -1, expected at least 0",
        '  - campaigns[0].budget.discounts: is "x", expected a whole number',
    ]
    path.write_text(f"campaigns: [{{campaign_id: a, sms_text: {'я' * 71}}}]")
    assert main(["campaign", "check", str(path)]) == exits.PROBLEMS
    assert "campaigns[0].sms_text: takes 71 units" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    assert main(["campaign", "show", str(tmp_path / "none")]) == exits.PROBLEMS


def test_every_field_is_shown_and_defaults_are_marked(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["campaign", "show", str(path)]) == exits.OK
    blocks = capsys.readouterr().out.split("\n\n")
    assert [block.splitlines()[0] for block in blocks[1:]] == [
        "spring, the campaign of requests that name none",
        "autumn",
    ]
    spring = [line.split() for line in blocks[1].splitlines()[1:]]
    assert ["contacts_per_day", "2"] in spring
    assert ["minimum_gap_minutes", "20", "(default)"] in spring
    assert ["contacts_per_hour", "none", "(default)"] in spring
    assert ["budget.discounts", "100"] in spring
    assert ["budget.pacing", "none", "(default)"] in spring
    assert ["arms[0].threshold", "0.4"] in spring
    autumn = [line.split() for line in blocks[2].splitlines()[1:]]
    assert ["enabled", "false"] in autumn
    assert ["budget", "none", "(default)"] in autumn
    assert ["arms", "none", "(default)"] in autumn


def test_without_a_file_the_built_in_document_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["campaign", "show"]) == exits.OK
    assert "premium-day" in capsys.readouterr().out


@pytest.mark.parametrize(
    "line",
    [
        [],
        ["campaign"],
        ["campaign", "check"],
        ["campaign", "mend", "x"],
        ["explain", "me"],
        ["dlq"],
        ["dlq", "show", "a.dlq", "--limit", "-1"],
        ["lift", "a", "--hours", "0"],
        ["campaign", "dry-run", "x", "--hours", "nan"],
    ],
)
def test_a_wrong_command_line_has_a_code_of_its_own(line: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(line)
    assert caught.value.code == exits.USAGE
