"""The served features, named once: what the enricher computes, models take and explanations show."""

import hashlib
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Feature:
    """One number of the served vector.

    `version` counts changes of meaning. It is part of the fingerprint, and a model that was trained on another
    fingerprint is refused.
    """

    name: str
    unit: str
    default: float
    doc: str
    version: int = 1

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits over everything that gives the value its meaning."""
        meaning = f"{self.name}|{self.unit}|{self.default!r}|{self.version}|{LISTENS_KEPT}"
        return hashlib.sha256(meaning.encode()).hexdigest()[:12]


# In the order of the public data set of this problem (columns 1 to 6 of its libsvm file).
FEATURES: Final[tuple[Feature, ...]] = (
    Feature("morning", "share", 0.0, "Listens that began at local hour 5 to 11, over all kept listens."),
    Feature("afternoon", "share", 0.0, "Listens that began at local hour 12 to 16, over all kept listens."),
    Feature("evening", "share", 0.0, "Listens that began at local hour 17 to 21, over all kept listens."),
    Feature("night", "share", 0.0, "Listens that began at local hour 22 to 4, over all kept listens."),
    Feature("mobile", "share", 0.0, "Listens on a mobile device, over all kept listens."),
    Feature("unique", "share", 0.0, "Distinct tracks over all kept listens."),
)

FEATURE_NAMES: Final[tuple[str, ...]] = tuple(feature.name for feature in FEATURES)
FINGERPRINTS: Final[dict[str, str]] = {feature.name: feature.fingerprint for feature in FEATURES}

SCHEMA_VERSION: Final[str] = hashlib.sha256("|".join(FINGERPRINTS.values()).encode()).hexdigest()[:12]
"""Changes whenever any feature changes its meaning, its place, or is added or removed."""
