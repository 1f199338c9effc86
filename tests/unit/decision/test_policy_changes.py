"""Changes applied to facts: each does what it says and nothing else."""

import struct
from typing import Any

import pytest
from pydantic import ValidationError

from interlude.contacts.budget import BudgetState
from interlude.contacts.campaign import Campaign
from interlude.contacts.experiment import Assignment
from interlude.features.codec import HotFeatures, ProfileFlag
from interlude.features.schema import LISTENS_KEPT, RECENT_LISTENS, SESSION_PAUSE_MS, STATE_FEATURES
from interlude.features.session import nth_newest_listen_ms, session_tracks
from interlude.features.state import Level
from services.decision.policy import Change, Facts, apply

_NOW_MS = 1_700_000_000_000
_LISTENER = HotFeatures(
    level=1,
    flags=15,
    newest_listen_ms=_NOW_MS - 60_500,
    vector=bytes(24),
    session_began_ms=_NOW_MS - 300_000,
    session_tracks=2,
    streak_track_id=7,
    recent_listens=struct.pack("<2I", 0, 240),
)
_FACTS = Facts(
    Campaign(campaign_id="c", holdout_share=0.1),
    _NOW_MS,
    listener=_LISTENER,
    score=0.1,
    assignment=Assignment("a", 0.3, holdout=True),
)


def _applied(facts: Facts = _FACTS, **values: Any) -> Facts:
    return apply(tuple(Change(field.replace("__", "."), value, "") for field, value in values.items()), facts)


def _listener(facts: Facts) -> HotFeatures:
    assert facts.listener is not None
    return facts.listener


def test_no_change_changes_nothing() -> None:
    assert apply((), _FACTS) is _FACTS


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"now_ms": _NOW_MS + 5}, {"now_ms": _NOW_MS + 5}),
        ({"score": 0.7}, {"score": 0.7}),
        ({"budget": "PACED"}, {"budget": BudgetState.PACED}),
        ({"score": 0.7, "now_ms": 1}, {"score": 0.7, "now_ms": 1}),
    ],
)
def test_a_fact_is_replaced(values: dict[str, Any], expected: dict[str, Any]) -> None:
    assert _applied(**values) == _FACTS._replace(**expected)


def test_a_field_of_the_campaign_is_replaced_and_the_campaign_given_stays() -> None:
    then = _applied(campaign__contacts_per_day=7, campaign__ends_at="2026-11-28T00:00:00Z")
    assert then.campaign.contacts_per_day == 7
    assert then.campaign.ends_at_ms == 1_795_824_000_000
    assert (_FACTS.campaign.contacts_per_day, _FACTS.campaign.ends_at_ms) == (3, None)
    assert then.assignment == _FACTS.assignment


def test_nobody_is_held_out_without_a_share() -> None:
    assert _applied(campaign__holdout_share=0.0).assignment == Assignment("a", 0.3, holdout=False)
    assert _applied(campaign__holdout_share=0.2).assignment.holdout
    free = _FACTS._replace(assignment=Assignment())
    assert not _applied(free, campaign__holdout_share=0.2).assignment.holdout


def test_a_campaign_that_no_document_could_hold_is_refused() -> None:
    with pytest.raises(ValidationError, match="contacts_per_day"):
        _applied(campaign__contacts_per_day=61)


@pytest.mark.parametrize(
    ("field", "flag"),
    [
        ("known", ProfileFlag.KNOWN),
        ("active", ProfileFlag.ACTIVE),
        ("consent_player_offers", ProfileFlag.CONSENT_PLAYER_OFFERS),
    ],
)
def test_a_bit_of_the_profile_is_set_and_cleared(field: str, flag: ProfileFlag) -> None:
    without = apply((Change(f"profile.{field}", False, ""),), _FACTS)
    assert without == _FACTS._replace(listener=_LISTENER._replace(flags=15 & ~flag))
    assert apply((Change(f"profile.{field}", True, ""),), without) == _FACTS


def test_the_level_is_replaced() -> None:
    assert _listener(_applied(profile__level="GOLD")) == _LISTENER._replace(level=Level.GOLD)


def test_a_profile_of_somebody_unknown_has_the_default_features() -> None:
    then = _listener(_applied(_FACTS._replace(listener=None), profile__known=True))
    assert then == HotFeatures(Level.UNKNOWN, ProfileFlag.KNOWN, None, bytes(4 * len(STATE_FEATURES)))


def test_tracks_that_are_played_are_the_newest_of_the_session() -> None:
    then = _listener(_applied(tracks=3))
    assert then == _LISTENER._replace(
        newest_listen_ms=_NOW_MS, session_tracks=5, streak_track_id=None, recent_listens=then.recent_listens
    )
    assert struct.unpack("<5I", then.recent_listens) == (0, 0, 0, 61, 301)
    assert nth_newest_listen_ms(then, 4) == _NOW_MS - 61_000


def test_tracks_after_a_pause_begin_a_session_and_after_a_wait_are_played_then() -> None:
    then_ms = _NOW_MS - 60_500 + SESSION_PAUSE_MS + 1
    then = _applied(tracks=2, now_ms=then_ms)
    assert session_tracks(then.listener, then_ms) == 2
    assert _listener(then).session_began_ms == _listener(then).newest_listen_ms == then_ms
    assert session_tracks(_applied(tracks=2, now_ms=then_ms - 1).listener, then_ms) == 4


def test_no_more_tracks_are_counted_and_remembered_than_the_enricher_does() -> None:
    then = _listener(_applied(tracks=200))
    assert then.session_tracks == LISTENS_KEPT
    assert then.recent_listens == bytes(4 * RECENT_LISTENS)


def test_tracks_follow_a_listen_that_carries_a_time_after_ours() -> None:
    ahead = _FACTS._replace(listener=_LISTENER._replace(newest_listen_ms=_NOW_MS + 1500))
    then = _listener(_applied(ahead, tracks=1))
    assert then.newest_listen_ms == _NOW_MS + 1500
    assert struct.unpack("<3I", then.recent_listens) == (0, 0, 240)


def test_times_before_are_rounded_up_to_the_second_however_long_ago() -> None:
    long_ago = _FACTS._replace(listener=_LISTENER._replace(newest_listen_ms=_NOW_MS - 5_000_001))
    assert struct.unpack("<3I", _listener(_applied(long_ago, tracks=1)).recent_listens) == (0, 5001, 5241)


def test_of_as_many_listens_as_are_remembered_the_oldest_is_forgotten() -> None:
    full = _FACTS._replace(listener=_LISTENER._replace(recent_listens=struct.pack("<16I", *range(16))))
    then = _listener(_applied(full, tracks=1)).recent_listens
    assert struct.unpack("<16I", then) == (0, *(61 + place for place in range(15)))


def test_the_first_track_of_somebody_unknown() -> None:
    then = _listener(_applied(_FACTS._replace(listener=None), tracks=1))
    assert (then.flags, then.newest_listen_ms, then.session_tracks, then.session_began_ms) == (0, _NOW_MS, 1, _NOW_MS)
    assert then.recent_listens == bytes(4)
