"""Listener states and contacts at random, near the borders that rules look at."""

from random import Random
from typing import Final

from interlude.contacts.caps import DAY_MS, HOUR_MS, MINUTE_MS, Channel, Contact
from interlude.features.fold import fold
from interlude.features.state import AdEvent, AdEventKind, Level, Listen, ListenerState, Profile

_TRACKS: Final = (7, 8, 9)
"""So few that some are played again and again."""


def random_state(source: Random, now_ms: int) -> ListenerState:
    """A listener with a profile more often than not, a few listens, and now and then an offer dismissed or taken."""
    state = ListenerState()
    if source.random() < 0.9:
        state = fold(state, _profile(source)).state
    at_ms = now_ms - source.randrange(2 * HOUR_MS)
    for place in range(source.choice((0, 1, 3, 6, 20))):
        state = fold(state, Listen(at_ms, place, source.choice(_TRACKS), source.random() < 0.5, 0)).state
        at_ms -= source.choice((3 * MINUTE_MS, 4 * MINUTE_MS, 31 * MINUTE_MS, DAY_MS))
    for kind in (AdEventKind.DISMISS, AdEventKind.CONVERSION):
        if source.random() < 0.2:
            state = fold(state, AdEvent(now_ms - source.randrange(40 * DAY_MS), kind.value, 1, kind)).state
    return state


def random_contacts(source: Random, now_ms: int) -> list[Contact]:
    """None for most, else a few within ten days."""
    count = source.choice((0, 0, 0, 1, 2, 4))
    times = sorted(now_ms - source.randrange(source.choice((HOUR_MS, DAY_MS, 10 * DAY_MS))) for _ in range(count))
    return [
        Contact(at_ms, source.getrandbits(64), 1, source.choice(tuple(Channel)), withheld=source.random() < 0.2)
        for at_ms in times
    ]


def _profile(source: Random) -> Profile:
    return Profile(
        1,
        source.choice((Level.FREE, Level.FREE, Level.SILVER, Level.GOLD)),
        active=source.random() < 0.95,
        consent_player_offers=source.random() < 0.9,
        consent_sms=source.random() < 0.5,
    )
