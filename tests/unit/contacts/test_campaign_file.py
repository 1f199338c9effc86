"""Campaign documents in files: every problem named with its path, nothing half taken, and a wrong new one changes nothing."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from interlude.contacts.campaign import DEFAULT_CAMPAIGNS, Campaigns
from interlude.contacts.campaign_file import (
    SIZE_LIMIT_BYTES,
    CampaignFile,
    InvalidCampaigns,
    parse_campaigns,
    read_campaigns,
)

EVERYTHING_WRONG = """
schema_version: 2
campaigns:
  - campaign_id: Not Valid
    contacts_per_dya: 3
    starts_at: 2027-01-01
    budget: {discounts: -1, pacing: even}
  - campaign_id: b
    contacts_per_day: 65
    minimum_gap_minutes: -1
    enabled: 1
    starts_at: 2027-01-02T00:00:00+01:00
    ends_at: 2027-01-01T00:00:00+01:00
    arms: [{name: a, share: 0.5}, {name: a, share: .2}]
  - campaign_id: c
    budget: {discounts: 100000000000000000000, pacing: evn, colour: red}
  - {campaign_id: c, budget: {discounts: 5, pacing: even}, holdout_share: .nan, contacts_per_week: yes}
  - 7
"""
PROBLEMS = {
    "schema_version: is 2, expected 1",
    'campaigns[0].campaign_id: is "Not Valid", expected 1 to 64 lower-case letters, digits, - and _, '
    "the first a letter or a digit",
    "campaigns[0].contacts_per_dya: is no field; did you mean contacts_per_day?",
    'campaigns[0].starts_at: is "2027-01-01", expected a time, as in 2027-01-31T08:00:00+01:00',
    "campaigns[0].budget.discounts: is -1, expected at least 0",
    "campaigns[1].contacts_per_day: is 65, expected at most 60",
    "campaigns[1].minimum_gap_minutes: is -1, expected at least 0",
    "campaigns[1].enabled: is 1, expected true or false",
    "campaigns[1].ends_at: 2027-01-01T00:00:00+01:00 is not after starts_at, 2027-01-02T00:00:00+01:00",
    "campaigns[1].arms[1].name: is 'a', as that of arms[0] is",
    "campaigns[1].arms: the shares add up to 0.7, expected 1",
    "campaigns[2].budget.discounts: is 100000000000000000000, expected at most 1,000,000,000",
    "campaigns[2].budget.pacing: is \"evn\", expected 'none' or 'even'",
    "campaigns[2].budget.colour: is no field",
    "campaigns[3].holdout_share: is NaN, expected a number",
    "campaigns[3].contacts_per_week: is true, expected a whole number",
    "campaigns[3].budget.pacing: is even, which needs starts_at and ends_at",
    "campaigns[3].campaign_id: is 'c', as that of campaigns[2] is",
    "campaigns[4]: is 7, expected a mapping of fields",
}


def problems_of(content: str | bytes) -> tuple[str, ...]:
    with pytest.raises(InvalidCampaigns) as caught:
        parse_campaigns(content.encode() if isinstance(content, str) else content, "c.yaml")
    return caught.value.problems


def test_every_problem_of_a_document_is_named_at_once() -> None:
    problems = problems_of(EVERYTHING_WRONG)
    assert set(problems) == PROBLEMS
    assert len(problems) == len(PROBLEMS)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "document: is null, expected a mapping of fields"),
        ("[]", "document: is [], expected a mapping of fields"),
        ("{}", "campaigns: is missing"),
        ("campaigns: []", "campaigns: has 0 entries, expected at least 1"),
        ("campaigns: 7", "campaigns: is 7, expected a list"),
        ("campaigns: [{}]", "campaigns[0].campaign_id: is missing"),
        ("a: [1,\nb: 2", "c.yaml line 2: is not YAML: expected ',' or ']', but got '<stream end>'"),
        ("a: 1\nb: 2\na: 3", "c.yaml line 3: is not YAML: the key 'a' is there twice"),
        ("a: &x [1]\nb: *x", "c.yaml line 2: is not YAML: aliases are not taken"),
        ("on: 1", "c.yaml line 1: is not YAML: the key True is not text"),
        ("a: !!python/name:os.system x", "c.yaml line 1: is not YAML: could not determine a constructor for the tag"),
        ("a: \0", "c.yaml is not YAML: unacceptable character #x0000"),
        ('{\n"a": 1,\n}', "c.yaml line 3: is not JSON: "),
        ('{"a": 1, "a": 2}', "c.yaml has the key 'a' twice in one object"),
        ('{"a": NaN}', "c.yaml is not JSON: NaN is no number"),
        ("[" * 50_000, "c.yaml is nested too deeply"),
        ('{"a": ' * 50_000, "c.yaml is nested too deeply"),
        ("a: " + "9" * 5000, "c.yaml cannot be read: Exceeds the limit"),
        (b"a: \xff", "c.yaml is not UTF-8: byte 3 is 0xff"),
        (b" " * (SIZE_LIMIT_BYTES + 1), "c.yaml has more than 1048576 bytes"),
    ],
)
def test_a_document_that_cannot_be_read_says_where(content: str | bytes, problem: str) -> None:
    (found,) = problems_of(content)
    assert found.startswith(problem)


def test_a_long_value_is_not_repeated_in_full() -> None:
    (problem,) = problems_of(f"campaigns: [{{campaign_id: {'x' * 500}}}]")
    assert len(problem) < 200


def test_the_same_campaigns_have_one_version_however_they_are_written() -> None:
    yaml = b"# comment\ncampaigns:\n  - campaign_id: a\n    budget: {pacing: none, discounts: 3}\n"
    json = b'{"campaigns": [{"budget": {"discounts": 3}, "campaign_id": "a"}]}'
    assert parse_campaigns(yaml, "y").version == parse_campaigns(json, "j").version
    assert parse_campaigns(parse_campaigns(yaml, "y").text.encode(), "text") == parse_campaigns(yaml, "y")


def test_an_empty_path_is_the_built_in_document() -> None:
    assert read_campaigns("") is DEFAULT_CAMPAIGNS


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidCampaigns, match=r"c\.yaml cannot be read: No such file"):
        read_campaigns(str(tmp_path / "c.yaml"))


def test_a_service_adds_what_only_it_can_know(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("campaigns: [{campaign_id: a}]")
    with pytest.raises(InvalidCampaigns, match=r"campaigns\[0\]\.sms_text: is rude"):
        read_campaigns(str(path), lambda _: ["campaigns[0].sms_text: is rude"])


class Followed:
    """A file that is followed, and what was reported of it."""

    def __init__(self, path: Path, check: Callable[[Campaigns], list[str]] = lambda _: []) -> None:
        self.path = path
        self.loaded: list[str] = []
        """Ids of the documents that were taken."""
        self.refused: list[tuple[str, ...]] = []
        self.write("first")
        self.file = CampaignFile(str(path), self._take, self.refused.append, check)

    def _take(self, campaigns: Campaigns) -> None:
        self.loaded.append(campaigns.default.campaign_id)

    def write(self, campaign_id: str) -> None:
        self.path.write_text(f"campaigns: [{{campaign_id: {campaign_id}}}]")

    @property
    def serving(self) -> str:
        return self.file.current.default.campaign_id


@pytest.fixture
def followed(tmp_path: Path) -> Followed:
    return Followed(tmp_path / "c.yaml")


def test_a_new_document_is_taken_once(followed: Followed) -> None:
    followed.file.refresh()
    assert followed.loaded == ["first"]
    followed.write("second")
    followed.file.refresh()
    followed.file.refresh()
    assert followed.serving == "second"
    assert followed.loaded == ["first", "second"]


def test_a_wrong_document_is_refused_once_and_the_one_before_serves_on(followed: Followed) -> None:
    before = followed.file.current
    followed.write("Not Valid")
    followed.file.refresh()
    followed.file.refresh()
    assert followed.file.current is before
    assert [len(problems) for problems in followed.refused] == [1]
    assert followed.file.is_refused
    followed.write("second")
    followed.file.refresh()
    assert followed.serving == "second"
    assert not followed.file.is_refused


def test_a_document_that_is_put_back_is_neither_loaded_nor_lost(followed: Followed) -> None:
    followed.write("Not Valid")
    followed.file.refresh()
    followed.write("first")
    followed.file.refresh()
    assert followed.serving == "first"
    assert followed.loaded == ["first"]
    assert not followed.file.is_refused
    followed.write("Not Valid")
    followed.file.refresh()
    assert len(followed.refused) == 2


def test_comments_alone_are_no_new_version(followed: Followed) -> None:
    followed.path.write_text(followed.path.read_text() + "  # what for")
    followed.file.refresh()
    assert followed.loaded == ["first"]


def test_a_file_that_goes_away_is_told_once_and_may_come_back(followed: Followed) -> None:
    followed.path.unlink()
    followed.file.refresh()
    followed.file.refresh()
    assert len(followed.refused) == 1
    assert followed.file.is_refused
    followed.write("first")
    followed.file.refresh()
    assert not followed.file.is_refused
    followed.write("second")
    followed.file.refresh()
    assert followed.serving == "second"


def test_what_the_service_cannot_take_is_refused(tmp_path: Path) -> None:
    followed = Followed(tmp_path / "c.yaml", lambda found: ["no"] if found.default.campaign_id == "second" else [])
    followed.write("second")
    followed.file.refresh()
    assert (followed.serving, followed.refused) == ("first", [("no",)])


def test_a_config_map_that_swaps_its_link_is_noticed(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "c.yaml").write_text(f"campaigns: [{{campaign_id: {name}}}]")
    (tmp_path / "..data").symlink_to("one")
    (tmp_path / "c.yaml").symlink_to("..data/c.yaml")
    file = CampaignFile(str(tmp_path / "c.yaml"), lambda _: None, lambda _: None)
    (tmp_path / "..data_tmp").symlink_to("two")
    (tmp_path / "..data_tmp").replace(tmp_path / "..data")
    file.refresh()
    assert file.current.default.campaign_id == "two"


def test_the_built_in_document_is_never_looked_for() -> None:
    file = CampaignFile("", lambda _: None, lambda problems: pytest.fail(str(problems)))
    file.refresh()
    assert file.current is DEFAULT_CAMPAIGNS


def test_a_service_does_not_start_with_a_wrong_document(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("campaigns: []")
    with pytest.raises(InvalidCampaigns):
        CampaignFile(str(tmp_path / "c.yaml"), lambda _: None, lambda _: None)


def test_watching_takes_new_documents_until_it_is_stopped(followed: Followed) -> None:
    stop, loaded = threading.Event(), threading.Event()
    file = CampaignFile(
        str(followed.path), lambda found: loaded.set() if found.find("second") else None, lambda _: None
    )
    thread = threading.Thread(target=file.watch, args=(stop, 0.001))
    thread.start()
    try:
        followed.write("second")
        assert loaded.wait(10)
    finally:
        stop.set()
        thread.join(10)
    assert not thread.is_alive()
    assert file.current.default.campaign_id == "second"
