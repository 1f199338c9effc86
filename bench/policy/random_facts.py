"""Facts at random, as bad as they come: every rule matches in a good part of them, borders are hit on purpose."""

import struct
from datetime import UTC, datetime
from random import Random
from typing import Any, Final

from interlude.contacts.budget import BudgetState
from interlude.contacts.campaign import Arm, Campaign
from interlude.contacts.caps import DAY_MS, HOUR_MS, MINUTE_MS, WEEK_MS
from interlude.contacts.experiment import Assignment
from interlude.features.codec import HotFeatures, ProfileFlag
from interlude.features.schema import SESSION_PAUSE_MS, STATE_FEATURES
from interlude.features.state import Level
from services.decision.policy import Facts, Rung

NOW_MS: Final = 1_700_000_000_000

_GOOD: Final = (ProfileFlag.KNOWN | ProfileFlag.ACTIVE | ProfileFlag.CONSENT_PLAYER_OFFERS).value
_CAPS: Final = (
    "contacts_per_hour",
    "contacts_per_day",
    "contacts_per_week",
    "contacts_per_session",
    "contacts_per_listening_hour",
)
_BORDERS_MS: Final = (0, 1, MINUTE_MS, 20 * MINUTE_MS, SESSION_PAUSE_MS, HOUR_MS, DAY_MS, WEEK_MS)
_PROBABILITIES: Final = (0.0, 0.1, 0.3, 0.5, 0.9, 1.0)


def random_facts(source: Random) -> Facts:
    """One case; the same from a source in the same state."""
    return Facts(
        campaign=random_campaign(source),
        now_ms=NOW_MS,
        rung=source.choices(tuple(Rung), (20, 1, 1, 2, 1, 2))[0],
        listener=_listener(source) if source.random() < 0.9 else None,
        contact_times=tuple(NOW_MS - _ago_ms(source) for _ in range(source.choice((0, 0, 1, 2, 3, 6)))),
        score=source.choice((None, float("nan"), *_PROBABILITIES, source.random())),
        model_threshold=source.choice((None, *_PROBABILITIES)),
        next_track_id=source.choice((0, 7, 8)),
        budget=source.choices(tuple(BudgetState), (8, 1, 1))[0],
        assignment=Assignment(
            arm="a", threshold=source.choice((None, None, *_PROBABILITIES)), holdout=source.random() < 0.1
        ),
        chance=source.choice((0.0, 0.05, 0.5, 0.999)),
    )


def _ago_ms(source: Random) -> int:
    """Mostly within a day, at borders and beside them, now and then ahead of our clock."""
    if source.random() < 0.5:
        return source.choice(_BORDERS_MS) + source.choice((-1, 0, 1))
    return source.randrange(-MINUTE_MS, source.choice((HOUR_MS, DAY_MS, 8 * DAY_MS)))


def random_campaign(source: Random, now_ms: int = NOW_MS) -> Campaign:
    """A campaign that may use any rule, its window beginning or ending near `now_ms` now and then."""
    fields: dict[str, Any] = {
        "campaign_id": "random",
        "enabled": source.random() < 0.9,
        "minimum_gap_minutes": source.choice((0, 1, 20, 1440)),
        "minimum_gap_tracks": source.choice((0, 0, 1, 3, 16)),
        "first_tracks_without_offer": source.choice((0, 0, 1, 2, 50)),
        "spare_streaks": source.random() < 0.5,
        "cool_down_after_dismiss_hours": source.choice((0, 1, 24)),
        "cool_down_after_conversion_days": source.choice((0, 1, 30)),
        "exploration_rate": source.choice((0.0, 0.05, 0.5)),
        "holdout_share": source.choice((0.0, 0.1)),
        "cold_start": source.choice(("no_ad", "prior")),
        "prior_click_probability": source.choice(_PROBABILITIES),
        "prior_threshold": source.choice(_PROBABILITIES),
        "arms": (Arm(name="a", share=1),),
    }
    fields |= {cap: source.choice((0, 1, 2, 5, 60)) for cap in _CAPS if source.random() < 0.5}
    if source.random() < 0.3:
        fields["starts_at"] = _at(now_ms - _ago_ms(source))
    if source.random() < 0.3:
        begin_ms = now_ms - 30 * DAY_MS if "starts_at" not in fields else round(fields["starts_at"].timestamp() * 1000)
        fields["ends_at"] = _at(begin_ms + source.choice((1, MINUTE_MS, DAY_MS, 31 * DAY_MS)))
    return Campaign(**fields)


def _at(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def _listener(source: Random) -> HotFeatures:
    listens_ago_ms = sorted(_ago_ms(source) for _ in range(source.choice((0, 1, 3, 16))))
    newest_ms = NOW_MS - listens_ago_ms[0] if listens_ago_ms else None
    ago_seconds = [-(-(ago_ms - listens_ago_ms[0]) // 1000) for ago_ms in listens_ago_ms]
    tracks = source.randint(1, max(1, len(listens_ago_ms))) if listens_ago_ms else 0
    return HotFeatures(
        level=source.choice((Level.FREE, Level.FREE, Level.SILVER, Level.GOLD, Level.UNKNOWN)).value,
        flags=_GOOD if source.random() < 0.7 else source.randrange(16),
        newest_listen_ms=newest_ms,
        vector=struct.pack(f"<{len(STATE_FEATURES)}f", *(source.random() for _ in STATE_FEATURES)),
        session_began_ms=NOW_MS - listens_ago_ms[tracks - 1] if tracks else 0,
        session_tracks=tracks,
        streak_track_id=source.choice((None, 7)) if tracks else None,
        listening_hour_began_ms=source.choice((0, NOW_MS - HOUR_MS, NOW_MS - DAY_MS)),
        recent_listens=struct.pack(f"<{len(ago_seconds)}I", *ago_seconds),
        last_dismiss_ms=source.choice((None, NOW_MS - _ago_ms(source))),
        last_conversion_ms=source.choice((None, NOW_MS - _ago_ms(source))),
    )
