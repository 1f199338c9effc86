"""The features that only the moment of a decision knows: one definition, for the decision itself and for training on it.

Each is a function of what `f:{id}` says of the listener, the time and the campaign that is asked about.
"""

import struct
from collections.abc import Callable
from typing import Final

from interlude.features.codec import HotFeatures
from interlude.features.offer_counts import counts_of_all, counts_of_one
from interlude.features.schema import MOMENT_FEATURES, RECENCY_LIMIT_HOURS, SKIP_MS
from interlude.features.session import in_session, session_tracks

Definition = Callable[[HotFeatures, int, int], float]
"""From the listener, the moment (epoch ms) and the campaign's hash to a value."""

_HOUR_MS: Final = 3_600_000
_MINUTE_MS: Final = 60_000
_PACKED: Final = struct.Struct(f"<{len(MOMENT_FEATURES)}f")


def with_moment(listener: HotFeatures, now_ms: int, campaign_hash: int) -> HotFeatures:
    """`listener` with the whole vector of `schema.FEATURES`: the stored one, and behind it what `now_ms` and the campaign add."""
    moment = _PACKED.pack(*(define(listener, now_ms, campaign_hash) for define in _IN_ORDER))
    return listener._replace(vector=listener.vector + moment)


def _recency(listener: HotFeatures, now_ms: int, _: int) -> float:
    if listener.newest_listen_ms is None:
        return float(RECENCY_LIMIT_HOURS)
    return min(float(RECENCY_LIMIT_HOURS), max(0, now_ms - listener.newest_listen_ms) / _HOUR_MS)


def _session_position(listener: HotFeatures, now_ms: int, _: int) -> float:
    return 1.0 + session_tracks(listener, now_ms)


def _session_minutes(listener: HotFeatures, now_ms: int, _: int) -> float:
    return max(0, now_ms - listener.session_began_ms) / _MINUTE_MS if in_session(listener, now_ms) else 0.0


def _skip_streak(listener: HotFeatures, now_ms: int, _: int) -> float:
    newest_ms = listener.newest_listen_ms
    return 1.0 + listener.skips if newest_ms is not None and now_ms - newest_ms < SKIP_MS else 0.0


def _listens_today(listener: HotFeatures, now_ms: int, _: int) -> float:
    return float(listener.listens_today) if now_ms < listener.day_ends_ms else 0.0


def _interest(listener: HotFeatures, now_ms: int, _: int) -> float:
    return float(listener.streak_track_id is not None and in_session(listener, now_ms))


DEFINITIONS: Final[dict[str, Definition]] = {
    "recency": _recency,
    "session_position": _session_position,
    "session_minutes": _session_minutes,
    "skip_streak": _skip_streak,
    "listens_today": _listens_today,
    "impressions": lambda listener, now_ms, _: counts_of_all(listener.offer_counts, now_ms).impressions,
    "clicks": lambda listener, now_ms, _: counts_of_all(listener.offer_counts, now_ms).clicks,
    "dismissals": lambda listener, now_ms, _: counts_of_all(listener.offer_counts, now_ms).dismissals,
    "offer_impressions": lambda listener, now_ms, offer: (
        counts_of_one(listener.offer_counts, offer, now_ms).impressions
    ),
    "offer_clicks": lambda listener, now_ms, offer: counts_of_one(listener.offer_counts, offer, now_ms).clicks,
    "offer_dismissals": lambda listener, now_ms, offer: counts_of_one(listener.offer_counts, offer, now_ms).dismissals,
    "interest": _interest,
    "level": lambda listener, *_: float(listener.level),
}
"""By the name of the feature in `schema.FEATURES`."""

_IN_ORDER: Final[tuple[Definition, ...]] = tuple(DEFINITIONS[feature.name] for feature in MOMENT_FEATURES)
