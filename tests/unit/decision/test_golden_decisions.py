"""Each file of tests/golden/decisions is decided as it says, and nothing given is changed by it."""

import copy
from typing import Any

import pytest

from services.decision.policy import RULES, SHOWN, Reason
from tests.unit.decision.golden import EXPECTED, duration_ms, read_all, to_facts, to_outcome

_DECISIONS = read_all()


@pytest.mark.parametrize("name", _DECISIONS)
def test_golden_decision(name: str) -> None:
    document = _DECISIONS[name]
    facts = to_facts(document["facts"])
    before = copy.deepcopy(facts)
    assert to_outcome(facts) == {key: document[key] for key in EXPECTED}
    assert facts == before


@pytest.mark.parametrize("name", _DECISIONS)
def test_the_deciding_rule_is_the_first_line_against_showing(name: str) -> None:
    document = _DECISIONS[name]
    against = [line.split()[1].rstrip(":") for line in document["explanation"] if line.startswith("AGAINST")]
    assert document["show"] == (not against)
    assert document["reason"] in ({against[0]} if against else {reason.name for reason in SHOWN})
    assert len(document["explanation"]) == len(RULES)


def test_there_is_a_golden_decision_for_every_reason() -> None:
    assert {document["reason"] for document in _DECISIONS.values()} == {reason.name for reason in Reason}


def test_every_file_tells_a_story_of_its_own() -> None:
    stories = [document["story"] for document in _DECISIONS.values()]
    assert all(story.endswith(".") for story in stories)
    assert len(set(stories)) == len(stories) >= 60


@pytest.mark.parametrize(
    ("span", "expected_ms"),
    [("24 h", 86_400_000), ("19 min 59 s 999 ms", 1_199_999), ("0 ms", 0), ("2 d", 172_800_000)],
)
def test_spans_of_golden_files_are_read(span: str, expected_ms: int) -> None:
    assert duration_ms(span) == expected_ms


@pytest.mark.parametrize("span", ["24", "h 3", "1.5 h", "3 weeks"])
def test_a_mistyped_span_is_an_error(span: str) -> None:
    with pytest.raises(ValueError, match="not a span"):
        duration_ms(span)


@pytest.mark.parametrize(("part", "field"), [("campaign", "contacts_per_dya"), ("listener", "lisens_ago")])
def test_an_unknown_field_in_a_golden_file_is_an_error(part: str, field: str) -> None:
    given: dict[str, Any] = copy.deepcopy(_DECISIONS["shown_free"]["facts"])
    given[part][field] = 2
    with pytest.raises(ValueError, match=field):
        to_facts(given)
