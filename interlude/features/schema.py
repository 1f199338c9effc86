"""The served features, named once: what the enricher computes, models take and explanations show."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

LISTENS_KEPT: Final = 100
"""Listens a state remembers per listener: the newest by (played_at_ms, event hash). Every share below is taken over these.
One hundred gives shares the resolution of the public data set, whose values have two decimals."""

CONTACTS_KEPT: Final = 32
"""Ad events a state remembers per listener, the newest by (at_ms, event hash)."""

SESSION_PAUSE_MS: Final = 30 * 60 * 1000
"""A listen that begins more than this after the one before begins a new session."""

LISTENING_HOUR_MS: Final = 60 * 60 * 1000
"""The listening over which offers are counted, pauses left out."""

LONGEST_TRACK_MS: Final = 10 * 60 * 1000
"""A listen says when its track began, not when it ended: the time until the next begins counts as listening up to this, the
rest of it is a pause. Longer than nearly every track, so that none is cut short; short enough that a night between two
listens adds little."""

RECENT_LISTENS: Final = 16
"""Listens whose times a decision can see: as many as a gap in tracks may demand."""

INTEREST_LISTENS: Final = 3
INTEREST_WINDOW_MS: Final = 30 * 60 * 1000
"""A track is an interest when it is played `INTEREST_LISTENS` times within this span of event time, both ends included."""

SKIP_MS: Final = 30 * 1000
"""A track was skipped when the next one begins less than this after it: a listen itself does not say how long it was."""

RECENCY_LIMIT_HOURS: Final = 30 * 24
"""Whoever has not listened for longer has been away, whether for a month or for a year."""

OFFER_HALF_LIFE_HOURS: Final = 7 * 24
"""After this an impression, a click or a dismissal counts half."""

OFFERS_COUNTED: Final = 4
"""Offers that are counted one by one: those with the newest ad events. All together are counted whatever their number."""


class FeatureKind(StrEnum):
    """Where a feature's value comes from."""

    STATE = "state"
    """Worked out by the enricher from what is kept: a number in the vector of `f:{id}`."""
    MOMENT = "moment"
    """Worked out when it is asked for, from `f:{id}`, the time and the offer (`moment_features.py`)."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One number of the served vector.

    `version` counts changes of meaning, `parameters` are the numbers that its definition takes, by name. Both are part of the
    fingerprint, and a model that was trained on another fingerprint is refused. `source` names the fields of `f:{id}` that
    feed it.
    """

    name: str
    unit: str
    default: float
    doc: str
    version: int = 1
    kind: FeatureKind = FeatureKind.STATE
    source: str = "vector"
    parameters: tuple[tuple[str, int], ...] = ()

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits over everything that gives the value its meaning."""
        meaning = f"{self.name}|{self.unit}|{self.default!r}|{self.version}|{LISTENS_KEPT}"
        meaning += "".join(f"|{name}={value}" for name, value in self.parameters)
        return hashlib.sha256(meaning.encode()).hexdigest()[:12]


_SESSION: Final = (("session_pause_ms", SESSION_PAUSE_MS),)
_OFFERS: Final = (("half_life_hours", OFFER_HALF_LIFE_HOURS), ("ad_events_kept", CONTACTS_KEPT))
_ONE_OFFER: Final = (*_OFFERS, ("offers_counted", OFFERS_COUNTED))
_DECAYED: Final = f"among the kept ad events; one counts half after {OFFER_HALF_LIFE_HOURS // 24} days"


def _moment(
    name: str, unit: str, default: float, doc: str, source: str, parameters: tuple[tuple[str, int], ...] = ()
) -> Feature:
    return Feature(name, unit, default, doc, kind=FeatureKind.MOMENT, source=source, parameters=parameters)


# First those of the public data set of this problem, in its order (columns 1 to 6 of its libsvm file).
FEATURES: Final[tuple[Feature, ...]] = (
    Feature("morning", "share", 0.0, "Listens that began at local hour 5 to 11, over all kept listens."),
    Feature("afternoon", "share", 0.0, "Listens that began at local hour 12 to 16, over all kept listens."),
    Feature("evening", "share", 0.0, "Listens that began at local hour 17 to 21, over all kept listens."),
    Feature("night", "share", 0.0, "Listens that began at local hour 22 to 4, over all kept listens."),
    Feature("mobile", "share", 0.0, "Listens on a mobile device, over all kept listens."),
    Feature("unique", "share", 0.0, "Distinct tracks over all kept listens."),
    _moment(
        "recency",
        "hours",
        float(RECENCY_LIMIT_HOURS),
        f"Since the newest listen began, at most {RECENCY_LIMIT_HOURS}.",
        "newest listen",
        (("limit_hours", RECENCY_LIMIT_HOURS),),
    ),
    _moment(
        "session_position",
        "tracks",
        1.0,
        "The place in its session of the track that begins now; 1: it begins one.",
        "newest listen, session",
        _SESSION,
    ),
    _moment(
        "session_minutes",
        "minutes",
        0.0,
        "How long the running session has lasted.",
        "newest listen, session",
        _SESSION,
    ),
    _moment(
        "skip_streak",
        "tracks",
        0.0,
        f"Tracks just skipped in a row: each followed by the next, the last by now, in less than {SKIP_MS // 1000} s.",
        "newest listen, skips",
        (("skip_ms", SKIP_MS),),
    ),
    _moment(
        "listens_today",
        "listens",
        0.0,
        "Kept listens of the local day that it is now, by the profile's time zone (UTC without one).",
        "today, end of day",
    ),
    _moment("impressions", "events", 0.0, f"Impressions of any offer {_DECAYED}.", "offers", _OFFERS),
    _moment("clicks", "events", 0.0, f"Clicks on any offer {_DECAYED}.", "offers", _OFFERS),
    _moment("dismissals", "events", 0.0, f"Dismissals of any offer {_DECAYED}.", "offers", _OFFERS),
    _moment("offer_impressions", "events", 0.0, f"Impressions of this offer {_DECAYED}.", "offers", _ONE_OFFER),
    _moment("offer_clicks", "events", 0.0, f"Clicks on this offer {_DECAYED}.", "offers", _ONE_OFFER),
    _moment("offer_dismissals", "events", 0.0, f"Dismissals of this offer {_DECAYED}.", "offers", _ONE_OFFER),
    _moment(
        "interest",
        "flag",
        0.0,
        f"1 while a session runs whose newest track was played {INTEREST_LISTENS} times within "
        f"{INTEREST_WINDOW_MS // 60_000} minutes.",
        "newest listen, streak",
        (*_SESSION, ("interest_listens", INTEREST_LISTENS), ("interest_window_ms", INTEREST_WINDOW_MS)),
    ),
    _moment("level", "level", 0.0, "Subscription: 0 unknown, 1 free, 2 silver, 3 gold.", "level"),
)

STATE_FEATURES: Final = tuple(feature for feature in FEATURES if feature.kind is FeatureKind.STATE)
"""The features of the stored vector: the first of `FEATURES`."""
MOMENT_FEATURES: Final = FEATURES[len(STATE_FEATURES) :]

FEATURE_NAMES: Final[tuple[str, ...]] = tuple(feature.name for feature in FEATURES)
STATE_FEATURE_NAMES: Final[tuple[str, ...]] = FEATURE_NAMES[: len(STATE_FEATURES)]
FINGERPRINTS: Final[dict[str, str]] = {feature.name: feature.fingerprint for feature in FEATURES}

SCHEMA_VERSION: Final[str] = hashlib.sha256("|".join(FINGERPRINTS.values()).encode()).hexdigest()[:12]
"""Changes whenever any feature changes its meaning, its place, or is added or removed."""
