"""Listeners as the enricher leaves them in Redis."""

from typing import Final

from interlude.features.codec import encode_hot
from interlude.features.fold import fold
from interlude.features.state import Level, Listen, ListenerState, Profile

HOUR_MS: Final = 60 * 60 * 1000
NEWEST_LISTEN_MS: Final = 1_700_000_000_000
"""When the tests' listeners listened last, epoch ms."""

VECTOR: Final = (0.0, 0.0, 1.0, 0.0, 0.5, 0.5)
"""Features of a listener of `hot_features`: two plays of one track in the evening, one of them on a phone."""


def profile(
    *, level: Level = Level.FREE, active: bool = True, consent_player_offers: bool = True, consent_sms: bool = True
) -> Profile:
    """A profile that may be shown offers unless told otherwise."""
    return Profile(1, level, active=active, consent_player_offers=consent_player_offers, consent_sms=consent_sms)


def hot_features(known: Profile | None = None, *, newest_listen_ms: int = NEWEST_LISTEN_MS) -> bytes:
    """The value of `f:{id}` for a listener with `VECTOR`; `known` defaults to `profile()`."""
    state = fold(ListenerState(), known or profile()).state
    # An offset that makes any time an evening: local hour 18 whatever `newest_listen_ms` is.
    offset = (18 * 60 - newest_listen_ms // 60_000 % 1440 + 720) % 1440 - 720
    for event_hash, mobile in enumerate((True, False)):
        listen = Listen(newest_listen_ms - event_hash, event_hash, 7, mobile, offset)
        state = fold(state, listen).state
    return encode_hot(state)
