"""The rules about contacts once more, each for one campaign, with nothing worked out that a decision does not need.

`contact_rules` defines them by the windows of `interlude.contacts.caps`, which take three times as long; a test holds both to
the same answers.
"""

from interlude.contacts.campaign import Campaign
from interlude.contacts.caps import DAY_MS, HOUR_MS, MINUTE_MS, WEEK_MS
from interlude.features.session import in_session, nth_newest_listen_ms
from services.decision.policy.facts import Facts
from services.decision.policy.rule import Matches


def frequency_cap(campaign: Campaign) -> Matches:
    """Whether a cap per hour, day, week or session is reached."""
    caps = (
        (HOUR_MS, campaign.contacts_per_hour),
        (DAY_MS, campaign.contacts_per_day),
        (WEEK_MS, campaign.contacts_per_week),
    )
    limits = tuple((period_ms, limit) for period_ms, limit in caps if limit is not None)
    per_session = campaign.contacts_per_session
    lowest = min(limit for limit in (*(limit for _, limit in limits), per_session) if limit is not None)

    def matches(facts: Facts) -> bool:
        times = facts.contact_times
        if len(times) < lowest:
            return False
        now_ms = facts.now_ms
        for period_ms, limit in limits:
            if _count(times, now_ms - period_ms) >= limit:
                return True
        if per_session is None:
            return False
        listener = facts.listener
        since_ms = now_ms - 1
        if listener is not None and in_session(listener, now_ms):
            since_ms = listener.session_began_ms - 1
        return _count(times, since_ms) >= per_session

    return matches


def minimum_gap(campaign: Campaign) -> Matches:
    """Whether the last contact is too few minutes or tracks ago."""
    gap_ms, tracks = campaign.minimum_gap_minutes * MINUTE_MS, campaign.minimum_gap_tracks

    def matches(facts: Facts) -> bool:
        times = facts.contact_times
        if not times:
            return False
        last_ms = max(times)
        if gap_ms and last_ms > facts.now_ms - gap_ms:
            return True
        listener = facts.listener
        if not tracks or listener is None:
            return False
        return last_ms > (nth_newest_listen_ms(listener, tracks) or 0)

    return matches


def listening_hour(campaign: Campaign) -> Matches:
    """Whether the cap of an hour of listening, which the campaign has, is reached."""
    limit = campaign.contacts_per_listening_hour or 0

    def matches(facts: Facts) -> bool:
        listener = facts.listener
        if listener is None or len(facts.contact_times) < limit:
            return False
        return _count(facts.contact_times, listener.listening_hour_began_ms - 1) >= limit

    return matches


def _count(times: tuple[int, ...], since_ms: int) -> int:
    found = 0
    for at_ms in times:
        if at_ms > since_ms:
            found += 1
    return found
