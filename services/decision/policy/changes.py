"""What could be otherwise, and the facts as they then would be."""

import struct
from typing import Any, Final, NamedTuple

from interlude.contacts.budget import BudgetState
from interlude.contacts.campaign import Campaign
from interlude.features.codec import HotFeatures, ProfileFlag
from interlude.features.schema import LISTENS_KEPT, RECENT_LISTENS, STATE_FEATURES
from interlude.features.session import in_session, nth_newest_listen_ms
from interlude.features.state import Level
from services.decision.policy.facts import Facts
from services.decision.policy.texts import counted, duration

NOW_MS: Final = "now_ms"
TRACKS: Final = "tracks"
SCORE: Final = "score"
BUDGET: Final = "budget"
CAMPAIGN: Final = "campaign."
PROFILE: Final = "profile."

_FLAGS: Final = {
    "known": ProfileFlag.KNOWN,
    "active": ProfileFlag.ACTIVE,
    "consent_player_offers": ProfileFlag.CONSENT_PLAYER_OFFERS,
}
_LEVEL: Final = "level"
_NOBODY: Final = HotFeatures(Level.UNKNOWN.value, 0, None, bytes(4 * len(STATE_FEATURES)))
_SECOND_MS: Final = 1000


class Change(NamedTuple):
    """One thing that would have to be different.

    `field` is `now_ms` (moved to `value`, epoch ms), `tracks` (so many more tracks are played, none of them the one played again
    and again), `score`, `budget` (a `BudgetState` by name), `campaign.<field>` (as in the campaign document) or
    `profile.<field>` (`known`, `active`, `consent_player_offers`, `level` by name). `value` is a JSON scalar; `text` is for a
    person.
    """

    field: str
    value: Any
    text: str


Way = tuple[Change, ...]
"""Changes that together do something."""


def wait_until(at_ms: int, facts: Facts) -> Change:
    """The change of waiting until `at_ms`."""
    return Change(NOW_MS, at_ms, f"wait {duration(at_ms - facts.now_ms)}")


def play(tracks: int) -> Change:
    """The change of listening to so many more tracks."""
    return Change(TRACKS, tracks, f"{counted(tracks, 'more track')} played")


def campaign_change(field: str, value: bool | int | float | str, text: str) -> Change:
    """The change of one field of the campaign."""
    return Change(CAMPAIGN + field, value, text)


def profile_change(field: str, value: bool | str, text: str) -> Change:
    """The change of one field of the customer's profile."""
    return Change(PROFILE + field, value, text)


def apply(changes: Way, facts: Facts) -> Facts:
    """The facts with all changes made, whatever their order: first the time passes, then tracks are played. The rung stays: it
    tells how the facts were come by. Raises ValueError for a campaign that no document could hold."""
    values: dict[str, Any] = {change.field: change.value for change in changes}
    if NOW_MS in values:
        facts = facts._replace(now_ms=values[NOW_MS])
    if TRACKS in values:
        facts = facts._replace(listener=_played(facts, values[TRACKS]))
    if SCORE in values:
        facts = facts._replace(score=values[SCORE])
    if BUDGET in values:
        facts = facts._replace(budget=BudgetState[values[BUDGET]])
    return _with_profile(_with_campaign(facts, _under(CAMPAIGN, values)), _under(PROFILE, values))


def _under(prefix: str, values: dict[str, Any]) -> dict[str, Any]:
    return {field.removeprefix(prefix): value for field, value in values.items() if field.startswith(prefix)}


def _with_campaign(facts: Facts, fields: dict[str, Any]) -> Facts:
    if not fields:
        return facts
    campaign = Campaign.model_validate({name: getattr(facts.campaign, name) for name in Campaign.model_fields} | fields)
    # Nobody is in a holdout without a share. Where it has one, who is in it was drawn, and stays.
    assignment = facts.assignment._replace(holdout=facts.assignment.holdout and campaign.holdout_share > 0)
    return facts._replace(campaign=campaign, assignment=assignment)


def _with_profile(facts: Facts, fields: dict[str, Any]) -> Facts:
    if not fields:
        return facts
    listener = facts.listener or _NOBODY
    flags = listener.flags
    for name, flag in _FLAGS.items():
        if name in fields:
            flags = flags | flag.value if fields[name] else flags & ~flag.value
    level = Level[fields[_LEVEL]].value if _LEVEL in fields else listener.level
    return facts._replace(listener=listener._replace(flags=flags, level=level))


def _played(facts: Facts, tracks: int) -> HotFeatures:
    """The listener after so many more listens, all of which begin now: how long tracks take is not known here."""
    listener = facts.listener or _NOBODY
    # A listen may carry a time after ours; those to come are later still.
    begin_ms = max(facts.now_ms, listener.newest_listen_ms or 0)
    continued = in_session(listener, begin_ms)
    before = [nth_newest_listen_ms(listener, place) for place in range(1, RECENT_LISTENS + 1)]
    # Rounded up, as the enricher does: a listen never seems later than it was.
    ago_seconds = [-(-(begin_ms - begun_ms) // _SECOND_MS) for begun_ms in before if begun_ms is not None]
    kept = [*[0] * tracks, *ago_seconds][:RECENT_LISTENS]
    return listener._replace(
        newest_listen_ms=begin_ms,
        session_began_ms=listener.session_began_ms if continued else begin_ms,
        session_tracks=min((listener.session_tracks if continued else 0) + tracks, LISTENS_KEPT),
        streak_track_id=None,
        recent_listens=struct.pack(f"<{len(kept)}I", *kept),
    )
