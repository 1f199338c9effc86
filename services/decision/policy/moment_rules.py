"""Rules about the moment: offers that were answered, the begin of a session, one track again and again."""

from typing import Final

from interlude.contacts.campaign import Campaign
from interlude.contacts.caps import DAY_MS, HOUR_MS
from interlude.features.session import in_session, session_tracks
from services.decision.policy.changes import Change, Way, campaign_change, play, wait_until
from services.decision.policy.facts import Facts
from services.decision.policy.reasons import Reason
from services.decision.policy.rule import Rule
from services.decision.policy.texts import counted, elapsed


def _is_within(happened_ms: int | None, span_ms: int, now_ms: int) -> bool:
    return happened_ms is not None and span_ms > 0 and now_ms - happened_ms < span_ms


def _is_cooling_down(facts: Facts) -> bool:
    listener, campaign, now_ms = facts.listener, facts.campaign, facts.now_ms
    if listener is None:
        return False
    return _is_within(listener.last_dismiss_ms, campaign.cool_down_after_dismiss_hours * HOUR_MS, now_ms) or _is_within(
        listener.last_conversion_ms, campaign.cool_down_after_conversion_days * DAY_MS, now_ms
    )


def _happened_ms(facts: Facts) -> tuple[int | None, int | None]:
    """The newest dismissal and the newest offer taken."""
    listener = facts.listener
    return (None, None) if listener is None else (listener.last_dismiss_ms, listener.last_conversion_ms)


def _cool_down_text(facts: Facts) -> str:
    campaign = facts.campaign
    dismissed_ms, taken_ms = _happened_ms(facts)
    return (
        f"{_ago('offer dismissed', dismissed_ms, facts.now_ms)}, cool-down {campaign.cool_down_after_dismiss_hours} h; "
        f"{_ago('offer taken', taken_ms, facts.now_ms)}, cool-down {campaign.cool_down_after_conversion_days} d"
    )


def _ago(what: str, happened_ms: int | None, now_ms: int) -> str:
    return f"no {what}" if happened_ms is None else f"{what} {elapsed(now_ms - happened_ms)} ago"


def _cool_down_ways(facts: Facts) -> tuple[Way, ...]:
    campaign, now_ms = facts.campaign, facts.now_ms
    dismissed_ms, taken_ms = _happened_ms(facts)
    hours, days = campaign.cool_down_after_dismiss_hours, campaign.cool_down_after_conversion_days
    ends_ms: list[int] = []
    lowered: list[Change] = []
    for field, happened_ms, span, unit_ms in (
        ("cool_down_after_dismiss_hours", dismissed_ms, hours, HOUR_MS),
        ("cool_down_after_conversion_days", taken_ms, days, DAY_MS),
    ):
        if happened_ms is not None and _is_within(happened_ms, span * unit_ms, now_ms):
            ends_ms.append(happened_ms + span * unit_ms)
            lower = max(0, (now_ms - happened_ms) // unit_ms)
            lowered.append(campaign_change(field, lower, f"lower {field} to {lower}"))
    return ((wait_until(max(ends_ms), facts),), tuple(lowered))


def _is_at_the_beginning(facts: Facts) -> bool:
    return session_tracks(facts.listener, facts.now_ms) < facts.campaign.first_tracks_without_offer


def _first_tracks_ways(facts: Facts) -> tuple[Way, ...]:
    tracks = session_tracks(facts.listener, facts.now_ms)
    return (
        (play(facts.campaign.first_tracks_without_offer - tracks),),
        (campaign_change("first_tracks_without_offer", tracks, f"lower first_tracks_without_offer to {tracks}"),),
    )


def _is_in_streak(facts: Facts) -> bool:
    listener = facts.listener
    if listener is None or listener.streak_track_id is None or not facts.campaign.spare_streaks:
        return False
    return facts.next_track_id in (0, listener.streak_track_id) and in_session(listener, facts.now_ms)


def _streak_text(facts: Facts) -> str:
    listener = facts.listener
    spared = "streaks are spared" if facts.campaign.spare_streaks else "streaks are not spared"
    if listener is None or listener.streak_track_id is None or not in_session(listener, facts.now_ms):
        return f"no track is played again and again; {spared}"
    following = f"track {facts.next_track_id}" if facts.next_track_id else "not known"
    return f"track {listener.streak_track_id} again and again, next {following}; {spared}"


def _has_cool_down(campaign: Campaign) -> bool:
    return campaign.cool_down_after_dismiss_hours > 0 or campaign.cool_down_after_conversion_days > 0


COOL_DOWN: Final = Rule(
    Reason.COOL_DOWN,
    _is_cooling_down,
    _cool_down_text,
    _cool_down_ways,
    "the time since the listener last dismissed or took an offer, of whichever campaign",
    "wait until the cool-down is over",
    ("cool_down_after_dismiss_hours", "cool_down_after_conversion_days"),
    concerns=_has_cool_down,
)
FIRST_TRACKS: Final = Rule(
    Reason.FIRST_TRACKS,
    _is_at_the_beginning,
    lambda facts: (
        f"{counted(session_tracks(facts.listener, facts.now_ms), 'track')} into the session, "
        f"the first {facts.campaign.first_tracks_without_offer} without offer"
    ),
    _first_tracks_ways,
    "the tracks that the session has had",
    "a few more tracks",
    ("first_tracks_without_offer",),
    concerns=lambda campaign: campaign.first_tracks_without_offer > 0,
)
IN_STREAK: Final = Rule(
    Reason.IN_STREAK,
    _is_in_streak,
    _streak_text,
    lambda _facts: (
        (play(1),),
        (campaign_change("spare_streaks", False, "do not spare streaks"),),
    ),
    "whether one track is played again and again, and is the one about to play or that is not known",
    "another track, or a pause that ends the session",
    ("spare_streaks",),
    concerns=lambda campaign: campaign.spare_streaks,
)
