"""What the policy says to a person: spans, and the values that each rule compared."""

import pytest

from interlude.contacts.campaign import Campaign
from interlude.features.codec import HotFeatures
from services.decision.policy import RULES, Facts, Reason, Rung
from services.decision.policy.texts import counted, duration, elapsed, moment, yes_no

_NOW_MS = 1_700_000_000_000
_SECOND, _MINUTE, _HOUR, _DAY = 1000, 60_000, 3_600_000, 86_400_000


@pytest.mark.parametrize(
    ("span_ms", "expected"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (1, "1 s"),
        (59 * _SECOND, "59 s"),
        (59 * _SECOND + 1, "1 min"),
        (_MINUTE, "1 min"),
        (59 * _MINUTE, "59 min"),
        (59 * _MINUTE + 1, "1 h 0 min"),
        (3 * _HOUR + 12 * _MINUTE, "3 h 12 min"),
        (47 * _HOUR + 59 * _MINUTE, "47 h 59 min"),
        (48 * _HOUR, "2 d 0 h"),
        (2 * _DAY + 5 * _HOUR, "2 d 5 h"),
        (2 * _DAY + 5 * _HOUR + 1, "2 d 6 h"),
        (30 * _DAY, "30 d 0 h"),
    ],
)
def test_a_wait_is_rounded_up(span_ms: int, expected: str) -> None:
    assert duration(span_ms) == expected


@pytest.mark.parametrize(
    ("span_ms", "expected"),
    [
        (-1, "0 s"),
        (999, "0 s"),
        (_MINUTE - 1, "59 s"),
        (_MINUTE, "1 min"),
        (20 * _MINUTE - 1, "19 min"),
        (2 * _HOUR - 1, "1 h 59 min"),
        (2 * _DAY - 1, "47 h 59 min"),
        (2 * _DAY, "2 d 0 h"),
        (3 * _DAY - 1, "2 d 23 h"),
    ],
)
def test_what_has_passed_is_rounded_down(span_ms: int, expected: str) -> None:
    assert elapsed(span_ms) == expected


def test_moments_counts_and_answers() -> None:
    assert moment(_NOW_MS + 999) == "2023-11-14T22:13:20Z"
    assert [counted(number, "track") for number in (0, 1, 2)] == ["0 tracks", "1 track", "2 tracks"]
    assert [yes_no(True), yes_no(False)] == ["yes", "no"]


def _detail(reason: Reason, facts: Facts, place: int = 0) -> str:
    return [rule for rule in RULES if rule.reason is reason][place].detail(facts)


_PLAIN = Facts(Campaign(campaign_id="c"), _NOW_MS)
_PRIOR = Facts(Campaign.model_validate({"campaign_id": "c", "cold_start": "prior"}), _NOW_MS)
_PROFILE = _PLAIN._replace(listener=HotFeatures(1, 8 | 1, None, bytes(24)))


@pytest.mark.parametrize(
    ("reason", "facts", "expected"),
    [
        (Reason.UNKNOWN_CUSTOMER, _PLAIN, "nothing is known of this customer"),
        (Reason.UNKNOWN_CUSTOMER, _PRIOR, "nothing is known of this customer; decided by the prior"),
        (Reason.UNKNOWN_CUSTOMER, _PROFILE, "a profile is known"),
        (Reason.UNKNOWN_CUSTOMER, _PROFILE._replace(campaign=_PRIOR.campaign), "a profile is known"),
        (
            Reason.UNKNOWN_CUSTOMER,
            _PLAIN._replace(listener=HotFeatures(0, 0, 5, bytes(24))),
            "listens are known, a profile is not",
        ),
        (Reason.INACTIVE, _PLAIN, "account active: not known"),
        (Reason.INACTIVE, _PLAIN._replace(listener=HotFeatures(0, 1, 5, bytes(24))), "account active: not known"),
        (Reason.INACTIVE, _PROFILE, "account active: yes"),
        (Reason.NO_CONSENT, _PROFILE, "consent to offers in the player: no"),
        (Reason.LEVEL, _PLAIN, "no level known"),
        (Reason.LEVEL, _PROFILE, "level FREE"),
        (Reason.LISTENING_HOUR, _PLAIN, "no cap"),
        (Reason.LOW_SCORE, _PLAIN, "no score, threshold 0.5000"),
        (Reason.LOW_SCORE, _PRIOR, "prior 0.0000, threshold 0.5000"),
        (Reason.BUDGET_SPENT, _PLAIN, "no limit; now open"),
        (Reason.CAMPAIGN_ENDED, _PLAIN, "it is 2023-11-14T22:13:20Z; the campaign runs always"),
        (Reason.COOL_DOWN, _PLAIN, "no offer dismissed, cool-down 0 h; no offer taken, cool-down 0 d"),
        (Reason.FIRST_TRACKS, _PLAIN, "0 tracks into the session, the first 0 without offer"),
        (Reason.IN_STREAK, _PLAIN, "no track is played again and again; streaks are not spared"),
    ],
)
def test_a_rule_tells_what_it_compared(reason: Reason, facts: Facts, expected: str) -> None:
    assert _detail(reason, facts) == expected


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (_PLAIN._replace(score=0.5), "the model was asked"),
        (_PLAIN, "no model is loaded"),
        (_PRIOR, "no model is loaded; decided by the prior"),
        (_PLAIN._replace(model_threshold=0.5), "no features to score"),
        (_PRIOR._replace(model_threshold=0.5), "no features to score; decided by the prior"),
        (_PRIOR._replace(rung=Rung.NO_TIME), "nothing was read that could be scored"),
    ],
)
def test_it_is_told_whether_a_model_was_asked(facts: Facts, expected: str) -> None:
    assert _detail(Reason.UNAVAILABLE, facts, 1) == expected


def test_the_tracks_since_a_contact_of_somebody_without_listens_are_none() -> None:
    campaign = Campaign(campaign_id="c", minimum_gap_tracks=2)
    facts = _PLAIN._replace(campaign=campaign, contact_times=(_NOW_MS - 60_000, _NOW_MS - 120_000))
    assert (
        _detail(Reason.MINIMUM_GAP, facts) == "last contact 1 min ago, 0 tracks since, minimum gap 20 min and 2 tracks"
    )
